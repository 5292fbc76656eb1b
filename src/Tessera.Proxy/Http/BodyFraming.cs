namespace Tessera.Proxy.Http;

/// <summary>How the end of a message body is told (RFC 9112 section 6.3).</summary>
public enum BodyFraming
{
    /// <summary>No body: the message ends with its head.</summary>
    None,

    /// <summary>Content-Length octets.</summary>
    Length,

    /// <summary>Chunks, then a trailer section.</summary>
    Chunked,

    /// <summary>Everything until the connection closes; responses only.</summary>
    UntilClose,
}
