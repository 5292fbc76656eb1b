using Tessera.Linux.Files;
using Tessera.Proxy.Access;
using Tessera.Proxy.Files;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Scripts;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// The way of a request through a server of nginx's kind: its script, a location, the location's
/// script, the content; and round again where that sends it elsewhere.
/// </summary>
internal sealed partial class ClientConnection
{
    /// <summary>Closes the connection without an answer, where a script returns it.</summary>
    private const int CloseStatus = 444;

    /// <summary>Without an error an answer has been given.</summary>
    private async ReactorTask<ProxyError> ServeAsync(Exchange exchange)
    {
        if (exchange.Server is null)
        {
            return await ServeRouteAsync(exchange);
        }

        exchange.Server.Fallback.RealIp?.Apply(exchange);
        await TakeRoundsAsync(exchange, exchange.Server);
        return ProxyError.None;
    }

    /// <summary>Until something has answered.</summary>
    private async ReactorTask<bool> TakeRoundsAsync(Exchange exchange, VirtualServer server)
    {
        do
        {
            ProxyError error = await TakeRoundAsync(exchange, server);
            if (error.IsError)
            {
                await AnswerErrorAsync(exchange, error);
            }
        }
        while (exchange.Jump != Jump.None);

        return true;
    }

    /// <summary>
    /// The server, and where nothing comes before it the location: one that merely forwards needs
    /// no round.
    /// </summary>
    private static void EnterServer(Exchange exchange, VirtualServer server)
    {
        exchange.Enter(server);
        if (!server.HasPrologue
            && server.Locations.Find(exchange, out Route? route) == LocationOutcome.Found
            && !route!.IsInternal)
        {
            exchange.FollowLocation(route);
            if (!exchange.IsLengthTooLarge)
            {
                exchange.Jump = exchange.Route!.IsPlain ? Jump.None : Jump.Route;
                return;
            }
        }

        exchange.Follow(server.Fallback);
    }

    /// <summary>nginx's phases from the server's rewrite to the content.</summary>
    private async ReactorTask<ProxyError> TakeRoundAsync(Exchange exchange, VirtualServer server)
    {
        // (0) Where from? A request that goes in circles does not go on.
        Jump jump = exchange.TakeJump();
        if (exchange.IsLost)
        {
            await RefuseAsync(exchange, 500, "the request goes in circles");
            return ProxyError.None;
        }

        if (jump == Jump.Away)
        {
            await RedirectAwayAsync(exchange, exchange.StatusOverride);
            return ProxyError.None;
        }

        // (1) The server's script.
        if (jump == Jump.Server)
        {
            exchange.Follow(server.Fallback);
            ScriptEnd end = server.Script?.Run(exchange, out _) ?? ScriptEnd.Done;
            if (end.Verdict >= ScriptVerdict.Answer)
            {
                return await EndScriptAsync(exchange, end);
            }
        }

        // (2) A location, and its script, which may ask for another one.
        bool needsLocation = jump == Jump.Server;
        while (true)
        {
            if (needsLocation && !await TryLocateAsync(exchange, server))
            {
                return ProxyError.None;
            }

            needsLocation = false;
            ScriptEnd end = exchange.Route!.Script?.Run(exchange, out needsLocation)
                ?? ScriptEnd.Done;
            if (end.Verdict >= ScriptVerdict.Answer)
            {
                return await EndScriptAsync(exchange, end);
            }

            if (!needsLocation)
            {
                return await ServeRouteAsync(exchange);
            }

            if (!exchange.TryCountChange())
            {
                await RefuseAsync(exchange, 500, "the request goes in circles");
                return ProxyError.None;
            }
        }
    }

    /// <summary>False when the request has been answered.</summary>
    private async ReactorTask<bool> TryLocateAsync(Exchange exchange, VirtualServer server)
    {
        LocationOutcome outcome = server.Locations.Find(exchange, out Route? route);
        exchange.FollowLocation(route ?? server.Fallback);
        if (exchange.Route!.IsInternal && !exchange.IsInternal)
        {
            return await RefuseAsync(exchange, 404, "nothing is served under this address");
        }

        // A body that is announced to be too large is told of once, before anything is run.
        if (exchange.TryNoteTooLarge())
        {
            return await RefuseTooLargeAsync(exchange);
        }

        if (outcome != LocationOutcome.LacksSlash)
        {
            return true;
        }

        NoteSlash(exchange);
        await RedirectAwayAsync(exchange, 301);
        return false;
    }

    /// <summary>The same path with a slash behind it, and the same query.</summary>
    private void NoteSlash(Exchange exchange)
    {
        byte[] buffer = Reactor.Buffers.Rent(MaxReplyBytes);
        var writer = new ByteWriter(buffer.AsSpan(0, MaxReplyBytes));
        UriText.WritePath(ref writer, exchange.Path);
        writer.Write((byte)'/');
        if (!exchange.Query.IsEmpty)
        {
            writer.Write((byte)'?');
            writer.Write(exchange.Query);
        }

        exchange.SetAway(writer.Written);
        Reactor.Buffers.Return(buffer);
    }

    /// <summary>A script has answered, or sends the client away.</summary>
    private async ReactorTask<ProxyError> EndScriptAsync(Exchange exchange, ScriptEnd end)
    {
        if (end.Verdict == ScriptVerdict.Redirect)
        {
            await RedirectAwayAsync(exchange, end.Status);
        }
        else if (end.Status == CloseStatus)
        {
            exchange.Drop(CloseStatus);
        }
        else if (HttpStatus.IsRedirect(end.Status))
        {
            await _shard.Forwarder.SendContinueAsync(exchange);
            if (exchange.RequestBody.IsInvalid)
            {
                await RefuseAsync(exchange, 400, "the request's body is not valid");
                return ProxyError.None;
            }

            NoteTarget(exchange, end.Text ?? Template.Empty);
            await RedirectAwayAsync(exchange, end.Status);
        }
        else if (end.Text is null && end.Status >= 400)
        {
            await RefuseAsync(exchange, end.Status, "");
        }
        else
        {
            await ReplyAsync(
                exchange, end.Status, end.Text ?? Template.Empty,
                exchange.Style is null ? exchange.Route!.TextType : null);
        }

        return ProxyError.None;
    }

    /// <summary>
    /// Asks another location whether the request may pass (ngx_http_auth_request_module): 2xx says
    /// yes, 401 and 403 say no, anything else is a fault.
    /// </summary>
    /// <param name="verdict">What the route's own gate says.</param>
    private async ReactorTask<bool> TryAskAsync(
        Exchange exchange, Route route, AuthRequestRoute question, GateVerdict verdict)
    {
        bool isDecided = question.IsAlternative
            ? route.Gate is not null && verdict == GateVerdict.Pass
            : verdict != GateVerdict.Pass;
        if (isDecided)
        {
            return verdict == GateVerdict.Pass
                || await DenyAsync(exchange, route.Gate!, verdict);
        }

        exchange.BeginAsking(question);
        do
        {
            ProxyError error = await TakeRoundAsync(exchange, exchange.Server!);
            if (error.IsError && exchange.AskedStatus == 0)
            {
                await AnswerErrorAsync(exchange, error);
            }
        }
        while (exchange.Jump != Jump.None);

        int status = exchange.EndAsking();
        if (status is >= 200 and < 300)
        {
            return true;
        }

        if (question.IsAlternative && verdict == GateVerdict.Unauthorized)
        {
            return await DenyAsync(exchange, route.Gate!, verdict);
        }

        if (status == 401 && !exchange.AskedChallenge.IsEmpty)
        {
            exchange.TryAddField("WWW-Authenticate"u8, exchange.AskedChallenge);
        }

        return status == 0
            ? Leave(exchange)
            : await RefuseAsync(
                exchange, status is 401 or 403 ? status : 500, "access is not allowed");
    }

    private static void NoteTarget(Exchange exchange, Template target)
    {
        using var text = EvaluatedText.Of(target, exchange);
        exchange.SetAway(text.Text);
    }

    /// <summary>
    /// To where the exchange has noted, unless a page takes the redirect's place.
    /// </summary>
    private async ReactorTask<bool> RedirectAwayAsync(Exchange exchange, int status)
    {
        exchange.Status = status;
        if (!TrySetLocation(exchange, exchange.Away))
        {
            return await RefuseAsync(exchange, 500, "the place is too long to be told");
        }

        return await RefuseAsync(exchange, status, "");
    }

    private static bool TrySetLocation(Exchange exchange, ReadOnlySpan<byte> uri)
    {
        if (exchange.Style is null)
        {
            return exchange.TryAddField("Location"u8, uri);
        }

        exchange.SetRedirect(uri);
        return true;
    }

    /// <summary>
    /// Looks for files, of which the first becomes the path (ngx_http_try_files_module). False when
    /// the request goes on elsewhere, or has been answered.
    /// </summary>
    private async ReactorTask<bool> TryFilesAsync(Exchange exchange, TryFilesRoute files)
    {
        if (TryFind(exchange, files))
        {
            return true;
        }

        if (files.Status != 0)
        {
            return await RefuseAsync(exchange, files.Status, "there is no such file");
        }

        GoToFallback(exchange, files);
        return false;
    }

    private static void GoToFallback(Exchange exchange, TryFilesRoute files)
    {
        using var target = EvaluatedText.Of(files.Fallback, exchange);
        if (target.Text is [(byte)'@', ..])
        {
            exchange.GoTo(target.Text);
        }
        else
        {
            exchange.RedirectInternally(target.Text);
        }
    }

    private bool TryFind(Exchange exchange, TryFilesRoute files)
    {
        DocumentRoot? root = exchange.Route!.Root;
        byte[] buffer = Reactor.Buffers.Rent(MaxReplyBytes);
        bool isFound = false;
        foreach (FilePath candidate in files.Paths)
        {
            using var path = EvaluatedText.Of(candidate.Path, exchange);
            var writer = new ByteWriter(buffer.AsSpan(0, MaxReplyBytes));
            root?.WriteTry(ref writer, path.Text, exchange);
            LinkCheck links = root?.LinksOf(writer.Written, exchange) ?? default;
            isFound = FileLookup.TryGetStatus(writer.Written, links, out FileStatus status)
                && status.Kind == FileKind.Folder == candidate.IsFolder;
            if (isFound)
            {
                root!.Adopt(exchange, path.Text, candidate.IsFolder);
                break;
            }
        }

        Reactor.Buffers.Return(buffer);
        return isFound;
    }
}
