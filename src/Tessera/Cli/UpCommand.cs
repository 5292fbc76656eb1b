using System.Collections.Immutable;
using System.CommandLine;
using Tessera.Api;
using Tessera.Stack;
using Tessera.Stack.Compose;

namespace Tessera.Cli;

/// <summary>
/// <c>tessera up</c>: load, hand over, show progress, and stay attached unless told not to.
/// </summary>
internal sealed class UpCommand
{
    private readonly Option<bool> _detach = new("--detach", "-d")
    {
        Description = "Return when everything is started",
    };

    private readonly Option<string[]> _scale = new("--scale")
    {
        Description = "Number of a service's instances (web=3); repeatable",
        HelpName = "service=n",
    };

    private readonly Option<bool> _wait = new("--wait")
    {
        Description = "Return when every service is ready (implies --detach)",
    };

    private readonly Option<int?> _waitTimeout = Arguments.Number("--wait-timeout");

    private readonly Option<bool> _removeOrphans = new("--remove-orphans")
    {
        Description = "Remove instances of services that the files no longer have",
    };

    private readonly Option<bool> _forceRecreate = new("--force-recreate")
    {
        Description = "Replace instances that did not change, too",
    };

    private readonly Option<bool> _noRecreate = new("--no-recreate")
    {
        Description = "Leave instances that run as they are, even when their service changed",
    };

    private readonly Option<bool> _noDeps = new("--no-deps")
    {
        Description = "Leave the services that the named ones depend on alone",
    };

    private readonly Option<bool> _abortOnExit = new("--abort-on-container-exit")
    {
        Description = "Stop everything when one instance ends; its exit code is ours",
    };

    private readonly Option<bool> _abortOnFailure = new("--abort-on-container-failure")
    {
        Description = "Stop everything when one instance fails; its exit code is ours",
    };

    private readonly Option<string?> _exitCodeFrom = new("--exit-code-from")
    {
        Description = "Service whose exit code is ours (implies --abort-on-container-exit)",
        HelpName = "service",
    };

    private readonly Option<bool> _noColor = new("--no-color") { Description = "No colours" };

    private readonly Option<bool> _noLogPrefix = new("--no-log-prefix")
    {
        Description = "Lines without the name of their instance",
    };

    private readonly Option<bool> _timestamps = new("--timestamps")
    {
        Description = "Lines with the time at which they were written",
    };

    private readonly Option<int?> _timeout = Arguments.Timeout();
    private readonly Argument<string[]> _services;
    private readonly Func<ParseResult, Session> _open;

    private UpCommand(Func<ParseResult, Session> open)
    {
        _open = open;
        _services = Arguments.Services(open);
        _waitTimeout.Description = "Longest time that --wait waits";
        _waitTimeout.HelpName = "seconds";
        _exitCodeFrom.CompletionSources.Add(context => Arguments.ServiceNames(context, open));
    }

    public static Command Create(Func<ParseResult, Session> open)
    {
        var up = new UpCommand(open);
        var command = new Command("up", "Start the services, or apply what changed in the files")
        {
            up._detach, up._scale, up._wait, up._waitTimeout, up._removeOrphans, up._forceRecreate,
            up._noRecreate, up._noDeps, up._timeout, up._abortOnExit, up._abortOnFailure,
            up._exitCodeFrom, up._noColor, up._noLogPrefix, up._timestamps, up._services,
        };
        command.SetAction((parse, _) => up.RunAsync(parse));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parse)
    {
        Session session = _open(parse);
        CheckCombinations(parse);
        LoadedProject loaded = session.LoadProject();
        UpRequest request = ToRequest(parse, session, loaded);
        if (request.DryRun || request.Wait || parse.GetValue(_detach))
        {
            await ConnectedAsync(session, async controller =>
            {
                await session.ShowAsync(controller.UpAsync(request, session.Cancellation));
                return controller;
            });
            return ExitCode.Ok;
        }

        await using Attachment attachment = await ConnectedAsync(
            session, controller => AttachAsync(parse, session, controller, loaded, request));
        return await attachment.RunAsync();
    }

    /// <summary>Starts everything; lines are shown from the first start on.</summary>
    private async Task<Attachment> AttachAsync(
        ParseResult parse, Session session, IController controller, LoadedProject loaded,
        UpRequest request)
    {
        string? exitCodeFrom = parse.GetValue(_exitCodeFrom);
        AbortOn abort = exitCodeFrom is not null || parse.GetValue(_abortOnExit) ? AbortOn.AnyExit
            : parse.GetValue(_abortOnFailure) ? AbortOn.Failure
            : AbortOn.Nothing;
        var style = new LogStyle(
            HasPrefix: !parse.GetValue(_noLogPrefix),
            HasTimestamps: parse.GetValue(_timestamps),
            UsesColour: session.UsesColour && !parse.GetValue(_noColor));
        ProgressView view = session.CreateProgressView();
        var attachment = new Attachment(
            session, controller, loaded.Project, request.Services, abort, exitCodeFrom,
            new LogPrinter(session.Output, style, view.IsLive ? view.WriteBeside : null));
        try
        {
            await view.ShowAsync(
                attachment.FollowAsync(controller.UpAsync(request, session.Cancellation)));
            return attachment;
        }
        catch
        {
            await attachment.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Tries again once: the daemon was just ending when it was found, and had not begun to answer.
    /// </summary>
    private static async Task<T> ConnectedAsync<T>(
        Session session, Func<IController, Task<T>> start)
    {
        try
        {
            return await start(await session.ConnectAsync());
        }
        catch (DaemonUnreachableException)
        {
            return await start(await session.ConnectAsync());
        }
    }

    private void CheckCombinations(ParseResult parse)
    {
        bool isDetached = parse.GetValue(_detach) || parse.GetValue(_wait);
        bool aborts = parse.GetValue(_abortOnExit) || parse.GetValue(_abortOnFailure)
            || parse.GetValue(_exitCodeFrom) is not null;
        if (isDetached && aborts)
        {
            throw new UserErrorException(
                "--detach and --wait cannot be combined with --abort-on-container-exit, "
                + "--abort-on-container-failure or --exit-code-from");
        }

        if (parse.GetValue(_forceRecreate) && parse.GetValue(_noRecreate))
        {
            throw new UserErrorException("--force-recreate and --no-recreate exclude each other");
        }
    }

    private UpRequest ToRequest(ParseResult parse, Session session, LoadedProject loaded)
    {
        ImmutableArray<string> services = session.CheckServices(parse.GetValue(_services) ?? []);
        ImmutableSortedDictionary<string, int> scale =
            Arguments.ParseScale(parse.GetValue(_scale) ?? [], isRepeatable: true);
        session.CheckServices(scale.Keys);
        if (parse.GetValue(_exitCodeFrom) is { } exitCodeFrom)
        {
            session.CheckServices([exitCodeFrom]);
        }

        return new UpRequest(
            loaded.CanonicalJson,
            BaseEnvironment.From(session.Caller.Environment),
            services,
            scale,
            Wait: parse.GetValue(_wait),
            DryRun: session.IsDryRun,
            RemoveOrphans: parse.GetValue(_removeOrphans),
            ForceRecreate: parse.GetValue(_forceRecreate),
            NoRecreate: parse.GetValue(_noRecreate),
            NoDeps: parse.GetValue(_noDeps),
            WaitTimeout: Arguments.ToTimeSpan(parse.GetValue(_waitTimeout), "--wait-timeout"),
            Timeout: Arguments.ToTimeSpan(parse.GetValue(_timeout), "--timeout"),
            Settle: parse.GetValue(_detach));
    }
}
