using System.Text;
using Tessera.Proxy.Answers;
using Tessera.Proxy.Http;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Variables;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Proxy.Forwarding;

/// <summary>What an answer of the proxy itself is made of, as the route's style has it.</summary>
internal sealed partial class Exchange
{
    private static readonly VariableName ServerAddress = VariableName.Parse("server_addr");

    private byte[] _location = [];
    private int _locationLength;

    /// <summary>
    /// How answers look; null answers in plain words. Before there is a route it is that of the
    /// listener's first server.
    /// </summary>
    public AnswerStyle? Style => StyleRoute?.Style;

    /// <summary>How the client is waited for; null takes the server's options.</summary>
    public ClientConfig? ClientRules => StyleRoute?.Config.Client;

    /// <summary>Between two writes to the client.</summary>
    public int SendTimeoutMs => ClientRules?.SendTimeoutMs ?? Client.Shard.Options.SendTimeoutMs;

    /// <summary>Between two reads of the request's body.</summary>
    public int BodyTimeoutMs => ClientRules?.BodyTimeoutMs ?? Client.Shard.Options.BodyTimeoutMs;

    /// <summary>When what is sent was changed, in seconds since 1970; -1 when unknown.</summary>
    public long ModifiedSeconds { get; set; } = -1;

    /// <summary>Expires and Cache-Control are the route's, whatever an endpoint says.</summary>
    public bool HasExpiry { get; private set; }

    /// <summary>The client is Internet Explorer, as nginx tells it.</summary>
    public bool IsMsie => Names(UserAgent, "MSIE "u8, behind: 3)
        && !Names(UserAgent, "Opera"u8);

    /// <summary>
    /// The client is one whose connections are not kept (ngx_http_update_location_config).
    /// </summary>
    public bool IsUnkeptBrowser(ClientConfig rules) =>
        (rules.DropsOldMsie && Request.Method == HttpMethod.Post && IsOldMsie)
        || (rules.DropsSafari && IsSafari);

    /// <summary>Internet Explorer up to 6, but not that of Windows' second service pack.</summary>
    private bool IsOldMsie
    {
        get
        {
            ReadOnlySpan<byte> agent = UserAgent;
            int at = agent.IndexOf("MSIE "u8);
            return IsMsie && agent[at + 6] == '.'
                && (agent[at + 5] is (byte)'4' or (byte)'5'
                    || (agent[at + 5] == '6' && !Names(agent, "SV1"u8)));
        }
    }

    private bool IsSafari
    {
        get
        {
            ReadOnlySpan<byte> agent = UserAgent;
            return Names(agent, "Safari/"u8) && Names(agent, "Mac OS X"u8)
                && !Names(agent, "Gecko/"u8) && !Names(agent, "Chrome/"u8)
                && !Names(agent, "Opera"u8) && !IsMsie;
        }
    }

    /// <summary>The client shows a page of its own in place of a short one.</summary>
    public bool WantsLongPages => IsMsie
        || (Names(UserAgent, "Chrome/"u8) && !Names(UserAgent, "Gecko/"u8)
            && !Names(UserAgent, "Opera"u8));

    /// <summary>Where the client is sent, as it was written; empty when nowhere.</summary>
    public ReadOnlySpan<byte> RedirectLocation => _location.AsSpan(0, _locationLength);

    private Route? StyleRoute => Route ?? Client.Listener.Routes.Default;

    public ReadOnlySpan<byte> UserAgent
    {
        get
        {
            ReadOnlySpan<byte> received = Received;
            foreach (ref readonly HeaderField line in
                Request.Headers.AsSpan(0, Request.HeaderCount))
            {
                if (Ascii.EqualsIgnoreCase(line.Name(received), "User-Agent"u8))
                {
                    return line.Value(received);
                }
            }

            return default;
        }
    }

    /// <param name="behind">Bytes that must follow the words.</param>
    private static bool Names(
        ReadOnlySpan<byte> agent, ReadOnlySpan<byte> words, int behind = 0)
    {
        int at = agent.IndexOf(words);
        return at >= 0 && at + words.Length + behind <= agent.Length;
    }

    /// <summary>The answer sends the client elsewhere.</summary>
    public void SetRedirect(ReadOnlySpan<byte> location)
    {
        _location = _location.Length < location.Length ? new byte[location.Length] : _location;
        var writer = new ByteWriter(_location);
        writer.Write(location);
        writer.RemoveControls(0);
        _locationLength = writer.Length;
    }

    /// <summary>
    /// The whole line of Location. nginx makes paths absolute in a place of their own, and leaves
    /// what is a URL where it leaves other fields.
    /// </summary>
    /// <param name="isEarly">It is the place of paths.</param>
    public void WriteLocation(ref ByteWriter writer, AnswerStyle style, bool isEarly)
    {
        bool isMade = _locationLength > 0 && _location[0] == '/'
            && style.Config.MakesLocationsAbsolute;
        if (_locationLength == 0 || isMade != isEarly)
        {
            return;
        }

        writer.Write("Location: "u8);
        if (isMade)
        {
            writer.Write("http://"u8);
            WriteRedirectHost(ref writer, style);
            int port = Client.Listener.Address.Port;
            if (style.Config.NamesPort && port is not (0 or 80))
            {
                writer.Write((byte)':');
                writer.WriteNumber(port);
            }
        }

        writer.Write(RedirectLocation);
        writer.Write("\r\n"u8);
    }

    private void WriteRedirectHost(ref ByteWriter writer, AnswerStyle style)
    {
        if (style.Config.UsesServerName && Server?.Name is { Length: > 0 } name)
        {
            writer.Write(name);
            return;
        }

        ReadOnlySpan<byte> host = HostSyntax.NameOf(Host);
        if (host.IsEmpty)
        {
            VariableValue.Write(ServerAddress, ref writer, this);
            return;
        }

        foreach (byte letter in host)
        {
            writer.Write((byte)char.ToLowerInvariant((char)letter));
        }
    }

    /// <summary>Expires and Cache-Control, once the status is known.</summary>
    private void AddExpiry()
    {
        if (Route?.Style?.Expiry is { } expiry
            && AnswerStyle.IsGood(Status))
        {
            long nowMs = Client.Shard.Clock.ToUnixMs(_reactor.NowMs);
            HasExpiry = expiry.AddTo(this, nowMs / 1_000, ModifiedSeconds);
        }
    }

    private void ResetAnswer()
    {
        _location = _location.Length > MaxSpareBytes ? [] : _location;
        _locationLength = 0;
        ModifiedSeconds = -1;
        HasExpiry = false;
        ResetFilters();
    }
}
