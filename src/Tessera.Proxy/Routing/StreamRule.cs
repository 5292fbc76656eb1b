using System.Text;
using Tessera.Proxy.Access;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>How a route serves connections that are no HTTP, made ready once. Immutable.</summary>
internal sealed class StreamRule
{
    /// <summary>Longer names are none.</summary>
    private const int MaxNameLength = 1_024;

    private readonly Dictionary<string, Backend> _choices = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, Backend>.AlternateLookup<ReadOnlySpan<char>> _lookup;

    /// <param name="backends">Those that the configuration may name.</param>
    /// <exception cref="FormatException">A text names no variable.</exception>
    public StreamRule(StreamConfig config, IReadOnlyDictionary<string, Backend> backends)
    {
        Config = config;
        Reply = ParseOrNull(config.Reply);
        Pass = ParseOrNull(config.Pass);
        UploadRate = ParseOrNull(config.UploadRate);
        DownloadRate = ParseOrNull(config.DownloadRate);
        LocalAddress = ParseOrNull(config.LocalAddress);
        Assignments =
        [
            .. from step in config.Variables
               let variable = VariableScope.Current.Find(step.Variable)
               where variable is not null
               select (variable, Template.Parse(step.Value)),
        ];
        Trusted = config.TrustedProxies.IsEmpty
            ? null
            : new AddressRules(config.TrustedProxies);
        foreach (StreamChoice choice in config.Choices)
        {
            if (backends.TryGetValue(choice.Backend, out Backend? backend))
            {
                _choices[choice.Name] = backend;
            }
        }

        _lookup = _choices.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public StreamConfig Config { get; }

    /// <summary>Null where the connection is passed on.</summary>
    public Template? Reply { get; }

    /// <summary>Null where the route's backend is the only one.</summary>
    public Template? Pass { get; }

    /// <summary>Null lets the kernel choose.</summary>
    public Template? LocalAddress { get; }

    /// <summary>Made once, when a connection has come.</summary>
    public (OwnVariable Variable, Template Value)[] Assignments { get; }

    /// <summary>Null believes nobody.</summary>
    public AddressRules? Trusted { get; }

    public Template? UploadRate { get; }

    public Template? DownloadRate { get; }

    /// <summary>Null when no backend has the name.</summary>
    public Backend? Find(ReadOnlySpan<byte> name)
    {
        if (name.Length > MaxNameLength)
        {
            return null;
        }

        Span<char> chars = stackalloc char[MaxNameLength];
        int length = Encoding.Latin1.GetChars(name, chars);
        return _lookup.TryGetValue(chars[..length], out Backend? backend) ? backend : null;
    }

    private static Template? ParseOrNull(string? text) =>
        text is null ? null : Template.Parse(text);
}
