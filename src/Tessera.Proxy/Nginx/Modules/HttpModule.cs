using System.Collections.Immutable;
using System.Globalization;
using System.Net;

namespace Tessera.Proxy.Nginx;

/// <summary>Servers and their locations. Stateless.</summary>
internal static class HttpModule
{
    public static DirectiveRule[] Directives { get; } =
    [
        new("http", NginxContext.Main, 0, 0) { Block = NginxContext.Http },
        new("server", NginxContext.Http, 0, 0) { Block = NginxContext.Server, MayRepeat = true },
        new("listen", NginxContext.Server, 1, -1) { MayRepeat = true },
        new("server_name", NginxContext.Server, 1, -1) { MayRepeat = true },
        new("location", NginxContext.Server | NginxContext.Location, 1, 2)
        {
            Block = NginxContext.Location, MayRepeat = true,
        },
    ];

    public static ProxyConfig Read(NginxScope main, NginxFiles files)
    {
        if (main.FindHere("http") is not { } directive)
        {
            return ProxyConfig.Empty;
        }

        NginxScope http = main.Within(directive, NginxContext.Http);
        var upstreams = new UpstreamModule(http);
        var listeners = new Dictionary<IPEndPoint, ImmutableArray<RouteConfig>.Builder>();
        foreach (NginxDirective server in http.AllHere("server"))
        {
            NginxScope scope = http.Within(server, NginxContext.Server);
            RouteConfig[] routes = [.. ReadRoutes(scope, upstreams, files)];
            foreach (IPEndPoint address in ReadAddresses(scope))
            {
                if (!listeners.TryGetValue(
                    address, out ImmutableArray<RouteConfig>.Builder? all))
                {
                    listeners[address] = all = ImmutableArray.CreateBuilder<RouteConfig>();
                }

                bool isDefault = all.Count == 0;
                foreach (string name in ReadNames(scope, isDefault))
                {
                    all.AddRange(routes.Select(route => route with
                    {
                        Host = name.Length > 0 ? name : null,
                    }));
                }
            }
        }

        return new ProxyConfig
        {
            Listeners =
            [
                .. listeners.Select(listener => new ListenerConfig
                {
                    Address = listener.Key,
                    Protocol = ListenerProtocol.Http,
                    Routes = listener.Value.ToImmutable(),
                    AccessLog = LogModule.ReadAccessLog(http, files),
                }),
            ],
            Backends = upstreams.Backends,
        };
    }

    private static IEnumerable<string> ReadNames(NginxScope server, bool isDefault)
    {
        IEnumerable<string> names =
            server.AllHere("server_name").SelectMany(directive => directive.Arguments);
        return isDefault ? names.Append("") : names;
    }

    private static IEnumerable<IPEndPoint> ReadAddresses(NginxScope server)
    {
        NginxDirective[] listens = [.. server.AllHere("listen")];
        return listens.Length == 0
            ? [new IPEndPoint(IPAddress.Any, 80)]
            : listens.Select(ReadAddress);
    }

    private static IPEndPoint ReadAddress(NginxDirective listen)
    {
        string text = listen.Value;
        if (ushort.TryParse(
            text, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
        {
            return new IPEndPoint(IPAddress.Any, port);
        }

        text = text.StartsWith("*:", StringComparison.Ordinal) ? "0.0.0.0" + text[1..] : text;
        return IPEndPoint.TryParse(text, out IPEndPoint? address)
            ? new IPEndPoint(address.Address, address.Port == 0 ? 80 : address.Port)
            : throw listen.Error($"host not found in \"{listen.Value}\" of the \"listen\" directive");
    }

    private static IEnumerable<RouteConfig> ReadRoutes(
        NginxScope server, UpstreamModule upstreams, NginxFiles files)
    {
        foreach (NginxDirective location in server.AllHere("location"))
        {
            NginxScope scope = server.Within(location, NginxContext.Location);
            yield return ReadRoute(scope, ReadMatch(location), upstreams, files);
        }

        // What no location takes is a file below the root.
        yield return ReadRoute(
            server, new PathMatch(PathMatchKind.Prefix, "/"), upstreams, files);
    }

    private static RouteConfig ReadRoute(
        NginxScope scope, PathMatch path, UpstreamModule upstreams, NginxFiles files)
    {
        var route = new RouteConfig { Path = path };
        route = AnswerModule.Apply(scope, route);
        route = ClientModule.Apply(scope, route);
        route = LimitModule.Apply(scope, route);
        string text = path.Kind is PathMatchKind.Regex or PathMatchKind.RegexIgnoreCase
            ? ""
            : path.Text;
        return RewriteModule.TryReadReturn(scope, route)
            ?? ProxyModule.TryRead(scope, route, upstreams)
            ?? StaticModule.Apply(scope, route, files, text);
    }

    private static PathMatch ReadMatch(NginxDirective location) =>
        location.Arguments is [var modifier, var text]
            ? new PathMatch(
                modifier switch
                {
                    "=" => PathMatchKind.Exact,
                    "^~" => PathMatchKind.PrefixBeforeRegex,
                    "~" => PathMatchKind.Regex,
                    "~*" => PathMatchKind.RegexIgnoreCase,
                    _ => throw location.Error($"invalid location modifier \"{modifier}\""),
                },
                text)
            : new PathMatch(PathMatchKind.Prefix, location.Value);
}
