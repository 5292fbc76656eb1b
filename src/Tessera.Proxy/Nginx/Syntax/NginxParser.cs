using System.Collections.Immutable;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// A configuration file and what it includes, as directives. Where the syntax breaks, what came
/// before is kept with the error: nginx reports the first thing that is wrong from the top, be it
/// of the syntax or of a directive.
/// </summary>
internal sealed class NginxParser
{
    /// <summary>Blocks and includes within each other; more is an endless include.</summary>
    private const int MaxDepth = 64;

    private readonly NginxFiles _files;
    private int _depth;

    public NginxParser(NginxFiles files) => _files = files;

    /// <summary>What the syntax broke with; null when all was read.</summary>
    public NginxConfigException? Failure { get; private set; }

    /// <param name="file">As errors name it.</param>
    /// <param name="text">What is in it.</param>
    public ImmutableArray<NginxDirective> Parse(string file, string text) =>
        Parse(new NginxLexer(file, text));

    /// <summary>Directives of the command line: -g.</summary>
    public ImmutableArray<NginxDirective> ParseParameter(string text) =>
        Parse(new NginxLexer("command line", text) { IsParameter = true });

    private ImmutableArray<NginxDirective> Parse(NginxLexer lexer)
    {
        var directives = ImmutableArray.CreateBuilder<NginxDirective>();
        try
        {
            Read(lexer, isBlock: false, directives);
        }
        catch (NginxConfigException failure)
        {
            Failure ??= failure;
        }

        return directives.ToImmutable();
    }

    private void Read(
        NginxLexer lexer, bool isBlock, ImmutableArray<NginxDirective>.Builder into)
    {
        var words = new List<string>();
        while (Failure is null)
        {
            NginxToken token = lexer.Next();
            switch (token.Kind)
            {
                case NginxTokenKind.Word:
                    words.Add(token.Text);
                    break;
                case NginxTokenKind.Semicolon when words.Count > 0:
                    ReadSimple(Take(words, lexer.Position), into);
                    break;
                case NginxTokenKind.OpeningBrace when words.Count > 0:
                    ReadBlock(lexer, Take(words, lexer.Position), into);
                    break;
                case NginxTokenKind.ClosingBrace when isBlock && words.Count == 0:
                case NginxTokenKind.End when !isBlock && words.Count == 0:
                    return;
                case NginxTokenKind.End:
                    throw lexer.UnexpectedEnd(isInDirective: words.Count > 0);
                default:
                    throw new NginxConfigException($"unexpected \"{token.Text}\"", lexer.Position);
            }
        }
    }

    private void ReadSimple(
        NginxDirective directive, ImmutableArray<NginxDirective>.Builder into)
    {
        if (directive.Name != "include")
        {
            into.Add(directive);
            return;
        }

        if (directive.Arguments.Length != 1)
        {
            throw directive.Error("invalid number of arguments in \"include\" directive");
        }

        Descend(directive);
        foreach ((string file, string text) in _files.Include(directive))
        {
            Read(new NginxLexer(file, text), isBlock: false, into);
        }

        _depth--;
    }

    private void ReadBlock(
        NginxLexer lexer, NginxDirective directive, ImmutableArray<NginxDirective>.Builder into)
    {
        Descend(directive);
        var block = ImmutableArray.CreateBuilder<NginxDirective>();
        try
        {
            Read(lexer, isBlock: true, block);
        }
        catch (NginxConfigException failure)
        {
            Failure ??= failure;
        }

        into.Add(directive with { Block = block.ToImmutable(), End = lexer.Position });
        _depth--;
    }

    private void Descend(NginxDirective directive)
    {
        if (++_depth > MaxDepth)
        {
            throw directive.Error($"blocks and includes are more than {MaxDepth} deep");
        }
    }

    private static NginxDirective Take(List<string> words, NginxPosition position)
    {
        var directive = new NginxDirective(words[0], [.. words.Skip(1)], position);
        words.Clear();
        return directive;
    }
}
