using System.Collections;
using System.Collections.Immutable;
using Tessera.Api;

namespace Tessera.Cli;

/// <summary>
/// Who runs a command and from where: its streams, its environment, its folder, its Ctrl-C, and the
/// way to a daemon. Everything that a command takes from outside of itself goes through here, so
/// that tests can be callers too.
/// </summary>
public sealed record Caller
{
    /// <summary>Data, and nothing else.</summary>
    public required TextWriter Output { get; init; }

    /// <summary>Progress, warnings, errors.</summary>
    public required TextWriter Error { get; init; }

    /// <summary>Whether nobody can read <see cref="Output"/> any more.</summary>
    public Func<bool> IsReaderGone { get; init; } = () => false;

    public bool IsOutputTerminal { get; init; }

    public bool IsErrorTerminal { get; init; }

    public required ImmutableSortedDictionary<string, string> Environment { get; init; }

    public required string WorkingDirectory { get; init; }

    public required TesseraHome Home { get; init; }

    public required Interrupts Interrupts { get; init; }

    /// <summary>
    /// Connects to the daemon; starts it when told to and missing, else null then.
    /// </summary>
    public required Func<bool, CancellationToken, Task<IController?>> ConnectAsync { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>This process as its user sees it.</summary>
    public static Caller FromProcess()
    {
        TesseraHome home = TesseraHome.FromEnvironment();
        return new Caller
        {
            Output = new StreamWriter(StandardOutput.Open(), bufferSize: 16 * 1024),
            Error = new StreamWriter(Console.OpenStandardError(), bufferSize: 1024)
            {
                AutoFlush = true,
            },
            IsReaderGone = () => StandardOutput.IsReaderGone,
            IsOutputTerminal = !Console.IsOutputRedirected,
            IsErrorTerminal = !Console.IsErrorRedirected,
            Environment = ReadEnvironment(),
            WorkingDirectory = Directory.GetCurrentDirectory(),
            Home = home,
            Interrupts = Interrupts.OfProcess(),
            ConnectAsync = async (startIfMissing, cancellation) =>
                await new DaemonLauncher(home, DaemonLauncher.OwnExecutable, TimeProvider.System)
                    .ConnectAsync(startIfMissing, cancellation),
        };
    }

    private static ImmutableSortedDictionary<string, string> ReadEnvironment()
    {
        var builder =
            ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        foreach (DictionaryEntry variable in System.Environment.GetEnvironmentVariables())
        {
            builder[(string)variable.Key] = (string?)variable.Value ?? "";
        }

        return builder.ToImmutable();
    }
}
