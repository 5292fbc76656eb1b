using System.Text;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Scripts;

namespace Tessera.Proxy.Routing;

/// <summary>One server of a listener: its script and its locations. Immutable.</summary>
internal sealed class VirtualServer
{
    private readonly (byte[] Name, Route Route)[] _named;

    /// <param name="locations">Those of its configuration, made ready.</param>
    /// <param name="createRoute">For the ifs of its script.</param>
    public VirtualServer(
        ServerConfig config, Route fallback, IReadOnlyList<Route> locations,
        Func<RouteConfig, Route> createRoute)
    {
        Fallback = fallback;
        Script = Script.Of(config.Script, createRoute);
        Locations = new LocationTree(
            [.. locations.Where(route => route.Config.Path.Kind != PathMatchKind.Named)]);
        _named =
        [
            .. from route in locations
               where route.Config.Path.Kind == PathMatchKind.Named
               select (Encoding.UTF8.GetBytes(route.Config.Path.Text), route),
        ];
        MergesSlashes = config.MergesSlashes;
        Name = Encoding.UTF8.GetBytes(
            config.Names.FirstOrDefault()?.TrimStart('.') ?? "");
    }

    /// <summary>Its first name.</summary>
    public byte[] Name { get; }

    /// <summary>What holds where no location does.</summary>
    public Route Fallback { get; }

    /// <summary>Run before a location is looked for; null for none.</summary>
    public Script? Script { get; }

    public LocationTree Locations { get; }

    /// <inheritdoc cref="ServerConfig.MergesSlashes"/>
    public bool MergesSlashes { get; }

    /// <summary>It begins with something else than looking for a location.</summary>
    public bool HasPrologue => Script is not null || Fallback.RealIp is not null;

    /// <param name="name">With "@".</param>
    public Route? FindNamed(ReadOnlySpan<byte> name)
    {
        foreach ((byte[] known, Route route) in _named)
        {
            if (name.SequenceEqual(known))
            {
                return route;
            }
        }

        return null;
    }
}
