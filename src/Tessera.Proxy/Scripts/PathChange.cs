using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Scripts;

/// <summary>
/// rewrite: ngx_http_script_regex_start_code and ngx_http_script_regex_end_code. Immutable.
/// </summary>
internal sealed class PathChange : Step
{
    /// <summary>Longer URIs get 500.</summary>
    private const int MaxUriBytes = 16 * 1_024;

    private readonly Expression _expression;
    private readonly Template _path;
    private readonly Template? _query;
    private readonly bool _keepsQuery;
    private readonly RewriteEnd _end;
    private readonly int _status;

    public PathChange(RewriteStep config)
    {
        _expression = new Expression(
            config.Pattern, ignoresCase: false, VariableScope.Current);
        string text = config.Replacement;
        _keepsQuery = !text.EndsWith('?');
        text = _keepsQuery ? text : text[..^1];
        _end = config.End;
        _status = _end switch
        {
            RewriteEnd.Redirect => 302,
            RewriteEnd.Permanent => 301,
            _ when IsUrl(text) => 302,
            _ => 0,
        };
        int mark = text.IndexOf('?', StringComparison.Ordinal);
        bool isSplit = mark >= 0 && _status == 0;
        _path = Template.Parse(isSplit ? text[..mark] : text);
        _query = isSplit ? Template.Parse(text[(mark + 1)..]) : null;
        HasOwnQuery = mark >= 0;
    }

    private bool HasOwnQuery { get; }

    /// <summary>A replacement that leaves the server is a redirect.</summary>
    private static bool IsUrl(string text) =>
        text.StartsWith("http://", StringComparison.Ordinal)
        || text.StartsWith("https://", StringComparison.Ordinal)
        || text.StartsWith("$scheme", StringComparison.Ordinal);

    public override ScriptEnd Run(Exchange exchange, ref ScriptCourse course)
    {
        if (!_expression.IsMatch(exchange.Path, exchange))
        {
            exchange.ForgetCaptures();
            return ScriptEnd.Done;
        }

        exchange.NoteRewritten();
        byte[] rented = exchange.Buffers.Rent(MaxUriBytes);
        var writer = new ByteWriter(rented.AsSpan(0, MaxUriBytes));
        ScriptEnd end = _status != 0
            ? Redirect(exchange, ref writer)
            : Change(exchange, ref writer, ref course);
        exchange.Buffers.Return(rented);
        course.EscapesGroups = false;
        return end;
    }

    private ScriptEnd Change(Exchange exchange, ref ByteWriter writer, ref ScriptCourse course)
    {
        // (1) The path.
        _path.Write(ref writer, exchange);
        if (writer.Length == 0 || writer.HasOverflowed)
        {
            return new ScriptEnd(ScriptVerdict.Answer, 500);
        }

        // (2) The query: the replacement's own before the request's.
        int pathLength = writer.Length;
        if (_query is not null)
        {
            ScriptText.WriteEscaped(_query, ref writer, exchange);
            if (_keepsQuery && !exchange.Query.IsEmpty)
            {
                writer.Write((byte)'&');
                writer.Write(exchange.Query);
            }
        }

        if (writer.HasOverflowed)
        {
            return new ScriptEnd(ScriptVerdict.Answer, 500);
        }

        if (_query is not null || !_keepsQuery)
        {
            exchange.SetQuery(writer.Written[pathLength..]);
        }

        exchange.SetPath(writer.Written[..pathLength]);

        // (3) Where it goes on.
        course.NeedsLocation = _end != RewriteEnd.Break;
        exchange.LeftLocation |= _end == RewriteEnd.Break;
        return _end is RewriteEnd.Last or RewriteEnd.Break ? ScriptEnd.Stopped : ScriptEnd.Done;
    }

    private ScriptEnd Redirect(Exchange exchange, ref ByteWriter writer)
    {
        ScriptText.WriteEscaped(_path, ref writer, exchange);
        writer.Truncate(RedirectText.Unescape(writer.Buffer[..writer.Length]));
        if (_keepsQuery && !exchange.Query.IsEmpty)
        {
            writer.Write(HasOwnQuery ? (byte)'&' : (byte)'?');
            writer.Write(exchange.Query);
        }

        if (writer.HasOverflowed)
        {
            return new ScriptEnd(ScriptVerdict.Answer, 500);
        }

        exchange.SetAway(writer.Written);
        return new ScriptEnd(ScriptVerdict.Redirect, _status);
    }
}
