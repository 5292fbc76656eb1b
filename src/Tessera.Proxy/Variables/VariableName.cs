using System.Text;

namespace Tessera.Proxy.Variables;

/// <summary>What a variable tells. The names are nginx's, in snake case.</summary>
internal enum Variable : byte
{
    RemoteAddr,
    RequestMethod,
    RequestUri,
    Uri,
    Args,
    Host,
    Scheme,
    Status,
    BodyBytesSent,
    UpstreamAddr,

    /// <summary>The families have a name of their own behind the prefix.</summary>
    Arg,
    Http,
    Cookie,

    /// <summary>A group of the route's expression; its number is the only byte.</summary>
    Group,
}

/// <summary>A variable, and which member of its family. Immutable.</summary>
/// <param name="Member">Lower case, with "_" for "-" in header fields; empty for others.</param>
internal readonly record struct VariableName(Variable Variable, byte[] Member)
{
    private static readonly Dictionary<string, Variable> Plain = new(StringComparer.Ordinal)
    {
        ["remote_addr"] = Variable.RemoteAddr,
        ["request_method"] = Variable.RequestMethod,
        ["request_uri"] = Variable.RequestUri,
        ["uri"] = Variable.Uri,
        ["document_uri"] = Variable.Uri,
        ["args"] = Variable.Args,
        ["query_string"] = Variable.Args,
        ["host"] = Variable.Host,
        ["scheme"] = Variable.Scheme,
        ["status"] = Variable.Status,
        ["body_bytes_sent"] = Variable.BodyBytesSent,
        ["upstream_addr"] = Variable.UpstreamAddr,
    };

    private static readonly (string Prefix, Variable Variable)[] Families =
    [
        ("arg_", Variable.Arg),
        ("http_", Variable.Http),
        ("cookie_", Variable.Cookie),
    ];

    /// <exception cref="FormatException">There is no such variable.</exception>
    public static VariableName Parse(string name)
    {
        if (Plain.TryGetValue(name, out Variable variable))
        {
            return new VariableName(variable, []);
        }

        if (name is [>= '0' and <= '9'])
        {
            return new VariableName(Variable.Group, [(byte)(name[0] - '0')]);
        }

        foreach ((string prefix, Variable family) in Families)
        {
            if (name.StartsWith(prefix, StringComparison.Ordinal) && name.Length > prefix.Length)
            {
                return new VariableName(family, Encoding.UTF8.GetBytes(name[prefix.Length..]));
            }
        }

        throw new FormatException($"there is no variable \"${name}\"");
    }
}
