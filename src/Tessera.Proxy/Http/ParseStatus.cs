namespace Tessera.Proxy.Http;

/// <summary>What a parser made of the bytes it has seen so far.</summary>
public enum ParseStatus
{
    /// <summary>No error yet, and no end yet: call again with more bytes.</summary>
    Incomplete,

    /// <summary>The head is whole and valid.</summary>
    Complete,

    /// <summary>The bytes can never become a valid head, whatever follows.</summary>
    Invalid,
}
