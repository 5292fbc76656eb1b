using System.Collections.Immutable;
using System.CommandLine;
using System.CommandLine.Completions;
using System.CommandLine.Parsing;
using System.Globalization;
using Tessera.Stack;

namespace Tessera.Cli;

/// <summary>
/// Arguments and options that several commands have in common, and how they are read.
/// </summary>
internal static class Arguments
{
    /// <summary><c>[SERVICE...]</c>, completed with the services of the project's files.</summary>
    public static Argument<string[]> Services(Func<ParseResult, Session> open)
    {
        var argument = new Argument<string[]>("service")
        {
            Description = "Services to act on; all when none is named",
            Arity = ArgumentArity.ZeroOrMore,
        };
        argument.CompletionSources.Add(context => ServiceNames(context, open));
        argument.Validators.Add(result =>
        {
            // No service's name begins with a dash: whoever writes one mistyped an option.
            if (result.Tokens.FirstOrDefault(token => token.Value.StartsWith('-')) is { } option)
            {
                result.AddError($"unknown option '{option.Value}'");
            }
        });
        return argument;
    }

    public static Option<int?> Timeout()
    {
        Option<int?> timeout = Number("--timeout", "-t");
        timeout.Description = "Seconds to wait for an instance to stop, instead of "
            + "stop_grace_period";
        timeout.HelpName = "seconds";
        return timeout;
    }

    /// <summary>An option with a whole number; null when it is not given.</summary>
    public static Option<int?> Number(string name, params string[] aliases) => new(name, aliases)
    {
        CustomParser = result =>
        {
            string word = result.Tokens[^1].Value;
            if (int.TryParse(
                word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number))
            {
                return number;
            }

            result.AddError($"{name}: '{word}' is not a whole number (or too large a one)");
            return null;
        },
    };

    /// <summary>Refuses, and completes, what is not among <paramref name="words"/>.</summary>
    public static void AcceptOnly(this Option<string> option, params string[] words)
    {
        option.CompletionSources.Add(words);
        option.Validators.Add(result =>
        {
            foreach (Token token in result.Tokens.Where(token => !words.Contains(token.Value)))
            {
                result.AddError(
                    $"{option.Name}: '{token.Value}' is not one of {string.Join(", ", words)}");
            }
        });
    }

    public static TimeSpan? ToTimeSpan(int? seconds, string option) => seconds switch
    {
        null => null,
        < 0 => throw new UserErrorException($"{option}: {seconds} is not a number of seconds"),
        _ => TimeSpan.FromSeconds(seconds.Value),
    };

    /// <summary>Reads <c>service=number</c> pairs.</summary>
    /// <param name="isRepeatable">
    /// The last pair of a service holds; else a second one is a mistake.
    /// </param>
    public static ImmutableSortedDictionary<string, int> ParseScale(
        IEnumerable<string> pairs, bool isRepeatable)
    {
        var scale = ImmutableSortedDictionary.CreateBuilder<string, int>(StringComparer.Ordinal);
        foreach (string pair in pairs)
        {
            int equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0 || !int.TryParse(
                pair.AsSpan(equals + 1),
                NumberStyles.None,
                CultureInfo.InvariantCulture,
                out int count))
            {
                throw new UserErrorException(
                    $"'{pair}' is not of the form service=number, for example web=3");
            }

            string service = pair[..equals];
            if (!isRepeatable && scale.TryGetValue(service, out int before))
            {
                throw new UserErrorException(
                    $"{service} stands there twice ({service}={before} and {pair}); "
                    + "name it once");
            }

            scale[service] = count;
        }

        return scale.ToImmutable();
    }

    /// <summary>
    /// Services of the files that the line typed so far names; none when they cannot be read.
    /// </summary>
    public static IEnumerable<CompletionItem> ServiceNames(
        CompletionContext context, Func<ParseResult, Session> open)
    {
        try
        {
            Session session = open(context.ParseResult);
            return Stack.Compose.ComposeLoader.Load(session.ToLoadRequest())
                .Project.Services.Keys.Select(name => new CompletionItem(name)).ToArray();
        }
        catch (UserErrorException)
        {
            return [];
        }
    }
}
