namespace Tessera.Proxy.Http;

/// <summary>
/// Request methods that the proxy treats by name; all others are relayed as they are.
/// </summary>
public enum HttpMethod
{
    Other,
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Patch,
    Connect,
    Trace,
}

/// <summary>What the specification says about methods.</summary>
public static class HttpMethods
{
    /// <summary>
    /// True when sending the request twice means the same as sending it once, so that it may be
    /// tried again on another endpoint (RFC 9110 section 9.2.2). Unknown methods are not.
    /// </summary>
    public static bool IsIdempotent(this HttpMethod method) => method switch
    {
        HttpMethod.Get or HttpMethod.Head or HttpMethod.Put or HttpMethod.Delete
            or HttpMethod.Options or HttpMethod.Trace => true,
        _ => false,
    };

    /// <summary>Methods are case-sensitive (RFC 9110 section 9.1): "get" is not GET.</summary>
    internal static HttpMethod Parse(ReadOnlySpan<byte> name) => name.Length switch
    {
        3 when name.SequenceEqual("GET"u8) => HttpMethod.Get,
        3 when name.SequenceEqual("PUT"u8) => HttpMethod.Put,
        4 when name.SequenceEqual("POST"u8) => HttpMethod.Post,
        4 when name.SequenceEqual("HEAD"u8) => HttpMethod.Head,
        5 when name.SequenceEqual("PATCH"u8) => HttpMethod.Patch,
        5 when name.SequenceEqual("TRACE"u8) => HttpMethod.Trace,
        6 when name.SequenceEqual("DELETE"u8) => HttpMethod.Delete,
        7 when name.SequenceEqual("OPTIONS"u8) => HttpMethod.Options,
        7 when name.SequenceEqual("CONNECT"u8) => HttpMethod.Connect,
        _ => HttpMethod.Other,
    };
}
