using System.Text;
using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Routing;

/// <summary>nginx's modern_browser and ancient_browser, made ready once. Immutable.</summary>
internal sealed class BrowserRule
{
    /// <summary>Of the first number of a version; each further one weighs a hundredth.</summary>
    private const long FirstScale = 1_000_000;

    private readonly BrowserConfig _config;
    private readonly (byte[] Mark, ModernBrowser Browser)[] _modern;
    private readonly byte[][] _ancient;
    private readonly byte[] _modernValue;
    private readonly byte[] _ancientValue;

    public BrowserRule(BrowserConfig config)
    {
        _config = config;
        _modern = [.. config.Modern.Select(m => (Encoding.UTF8.GetBytes(m.Mark), m))];
        _ancient = [.. config.Ancient.Select(Encoding.UTF8.GetBytes)];
        _modernValue = Encoding.UTF8.GetBytes(config.ModernValue);
        _ancientValue = Encoding.UTF8.GetBytes(config.AncientValue);
    }

    /// <summary>The value of a variable; nothing where it says no.</summary>
    /// <param name="isModern">Of $modern_browser; else of $ancient_browser.</param>
    public void Write(ref ByteWriter writer, ReadOnlySpan<byte> agent, bool isModern)
    {
        if (IsModern(agent) == isModern)
        {
            writer.Write(isModern ? _modernValue : _ancientValue);
        }
    }

    /// <param name="agent">The value of User-Agent; empty without one.</param>
    public bool IsModern(ReadOnlySpan<byte> agent)
    {
        foreach ((byte[] mark, ModernBrowser browser) in _modern)
        {
            int at = browser.Start < agent.Length ? agent[browser.Start..].IndexOf(mark) : -1;
            if (at >= 0 && browser.Start + at + browser.MarkLength < agent.Length)
            {
                ReadOnlySpan<byte> version = agent[(browser.Start + at + browser.MarkLength)..];
                return ReadVersion(version) >= browser.Version;
            }
        }

        return _config.IsUnlistedModern && !IsAncient(agent);
    }

    /// <summary>Up to what is neither a digit nor a dot; 0 for what is none.</summary>
    public static long ReadVersion(ReadOnlySpan<byte> text)
    {
        long version = 0;
        long number = 0;
        long scale = FirstScale;
        foreach (byte c in text)
        {
            if (char.IsAsciiDigit((char)c))
            {
                number = Math.Min((number * 10) + (c - '0'), int.MaxValue);
            }
            else if (c == '.')
            {
                version += number * scale;
                number = 0;
                scale /= 100;
            }
            else
            {
                break;
            }
        }

        return version + (number * scale);
    }

    private bool IsAncient(ReadOnlySpan<byte> agent)
    {
        if (_config.IsNetscapeAncient && agent.StartsWith("Mozilla/"u8)
            && agent.Length > 8 && agent[8] is > (byte)'0' and < (byte)'5')
        {
            return true;
        }

        foreach (byte[] text in _ancient)
        {
            if (agent.IndexOf(text) >= 0)
            {
                return true;
            }
        }

        return false;
    }
}
