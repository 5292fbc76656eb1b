namespace Tessera.Stack.Compose.Schema;

/// <summary>
/// Where a route answers: <c>http://a.example.com/path</c>, with or without scheme, host, path.
/// </summary>
/// <param name="Host">Empty for every host.</param>
/// <param name="Path">Empty for every path.</param>
internal readonly record struct RouteAddress(string Host, string Path)
{
    private const string Scheme = "http://";

    /// <param name="problem">What is wrong, as the end of a sentence; empty when nothing
    /// is.</param>
    public static bool TryParse(string text, out RouteAddress address, out string problem)
    {
        address = default;
        problem = "";
        string rest = text.Trim();
        if (rest.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            rest = rest[Scheme.Length..];
        }
        else if (rest.Contains("://", StringComparison.Ordinal))
        {
            problem = "must begin with http://";
            return false;
        }

        int slash = rest.IndexOf('/', StringComparison.Ordinal);
        string host = slash < 0 ? rest : rest[..slash];
        string path = slash < 0 ? "" : rest[slash..];
        if (host.Length == 0 && path.Length == 0)
        {
            problem = "names neither a host nor a path";
        }
        else if (host.Contains(':', StringComparison.Ordinal) && !host.StartsWith('['))
        {
            problem = "names a port: a route answers on the port that its service publishes, or " +
                "on those of x-tessera.listen";
        }
        else if (host.Length > 0 && !IsHost(host))
        {
            problem = "has no valid host name";
        }
        else if (path.AsSpan().ContainsAny('?', '#'))
        {
            problem = "has a query: write it under \"when\"";
        }

        address = new RouteAddress(host.ToLowerInvariant(), path == "/" ? "" : path);
        return problem.Length == 0;
    }

    /// <summary>A name, an address, or one with a wildcard in the place of its first or last
    /// label.</summary>
    public static bool IsHost(string host)
    {
        string name = host.StartsWith("*.", StringComparison.Ordinal) ? host[2..]
            : host.EndsWith(".*", StringComparison.Ordinal) ? host[..^2]
            : host;
        return Uri.CheckHostName(name.TrimEnd('.')) != UriHostNameType.Unknown
            && name.Length <= 253;
    }
}
