using System.Collections.Immutable;

namespace Tessera.Stack.Routing;

/// <summary>A route of a service that names a backend.</summary>
/// <param name="Target">Port of the service that the route leads to.</param>
public sealed record BackendShare(
    string Service, ServiceOptions Options, RouteOptions Route, int Target);

/// <summary>What keeps services from standing behind one backend.</summary>
/// <param name="Option">
/// Key that they do not have alike; empty when one service leads there by two ports.
/// </param>
public sealed record ShareConflict(BackendShare Earlier, BackendShare Later, string Option)
{
    /// <param name="placeOf">Where a service stands, as <c> (file:line)</c>; may be empty.</param>
    public string Describe(Func<string, string> placeOf)
    {
        string backend = $"backend \"{Later.Route.Backend}\"";
        return Option.Length == 0
            ? $"service \"{Later.Service}\" leads to {backend} by its ports {Earlier.Target} and "
                + $"{Later.Target}: it may share one of them"
            : $"{backend} is shared by service \"{Earlier.Service}\"{placeOf(Earlier.Service)} and "
                + $"by service \"{Later.Service}\", whose \"{Option}\" differs: give both the same";
    }
}

/// <summary>
/// Routes of several services that name the same backend lead to the instances of all of them. What
/// an instance may carry is each service's own; what the backend as a whole does must be the same
/// in all, and so must what is done with requests that several of them take. Pure.
/// </summary>
public static class SharedBackend
{
    /// <summary>One conflict at most for each pair of services and what they share.</summary>
    public static IEnumerable<ShareConflict> Conflicts(IEnumerable<BackendShare> shares)
    {
        foreach (IGrouping<string, BackendShare> backend in shares
            .Where(share => share.Route.Backend is not null)
            .GroupBy(share => share.Route.Backend!, StringComparer.Ordinal))
        {
            BackendShare first = backend.First();
            var members = new Dictionary<string, BackendShare>(StringComparer.Ordinal);
            var takers = new Dictionary<string, BackendShare>(StringComparer.Ordinal);
            foreach (BackendShare share in backend)
            {
                if (members.TryAdd(share.Service, share))
                {
                    if (DifferenceOf(first.Options, share.Options) is { } option)
                    {
                        yield return new ShareConflict(first, share, option);
                        continue;
                    }
                }
                else if (members[share.Service].Target != share.Target)
                {
                    yield return new ShareConflict(members[share.Service], share, "");
                    continue;
                }

                if (ConflictOfRules(takers, share) is { } conflict)
                {
                    yield return conflict;
                }
            }
        }
    }

    private static ShareConflict? ConflictOfRules(
        Dictionary<string, BackendShare> takers, BackendShare share)
    {
        foreach (string key in RouteKey.Of(share.Route))
        {
            if (!takers.TryAdd(key, share)
                && DifferenceOf(RulesOf(takers[key]), RulesOf(share)) is { } rule)
            {
                return new ShareConflict(takers[key], share, rule);
            }
        }

        return null;
    }

    private static RouteRules RulesOf(BackendShare share) =>
        share.Route.Rules.Over(share.Options.Rules);

    /// <summary>Options of a whole backend, under their keys in the file.</summary>
    private static string? DifferenceOf(ServiceOptions a, ServiceOptions b) =>
        a.Endpoints.IsEmpty != b.Endpoints.IsEmpty ? "endpoints"
        : a.Balance != b.Balance ? "balance"
        : a.HashKey != b.HashKey ? "hash_key"
        : a.Sticky != b.Sticky ? "sticky"
        : a.Probe != b.Probe ? "health"
        : a.Outlier != b.Outlier ? "outlier"
        : a.HoldTimeout != b.HoldTimeout ? "hold_timeout"
        : a.HoldQueueLength != b.HoldQueueLength ? "hold_queue"
        : a.ConnectTimeout != b.ConnectTimeout ? "connect_timeout"
        : a.ReadTimeout != b.ReadTimeout ? "read_timeout"
        : a.SendTimeout != b.SendTimeout ? "send_timeout"
        : a.TunnelTimeout != b.TunnelTimeout ? "tunnel_timeout"
        : !AreSame(a.Rules.Retry, b.Rules.Retry) ? "retry"
        : null;

    /// <summary>
    /// Of routes that lead somewhere: redirects, replies and files have no backend.
    /// </summary>
    private static string? DifferenceOf(RouteRules a, RouteRules b) =>
        a.Rewrite != b.Rewrite ? "rewrite"
        : !AreSame(a.Headers, b.Headers) ? "headers"
        : !AreSame(a.Access, b.Access) ? "access"
        : !AreSame(a.Limits, b.Limits) ? "limits"
        : !AreSame(a.Compression, b.Compression) ? "compression"
        : !AreSame(a.Retry, b.Retry) ? "retry"
        : a.ConnectTimeout != b.ConnectTimeout ? "connect_timeout"
        : a.ReadTimeout != b.ReadTimeout ? "read_timeout"
        : a.SendTimeout != b.SendTimeout ? "send_timeout"
        : a.TunnelTimeout != b.TunnelTimeout ? "tunnel_timeout"
        : null;

    // Arrays are equal to none but themselves: they are compared apart from what holds them.
    private static bool AreSame(HeaderOptions? a, HeaderOptions? b) => a is null || b is null
        ? a == b
        : a.Request.SequenceEqual(b.Request) && a.Response.SequenceEqual(b.Response)
            && a.Add.SequenceEqual(b.Add);

    private static bool AreSame(AccessOptions? a, AccessOptions? b) => a is null || b is null
        ? a == b
        : a with { Allow = b.Allow, Deny = b.Deny, BasicAuth = b.BasicAuth } == b
            && a.Allow.SequenceEqual(b.Allow) && a.Deny.SequenceEqual(b.Deny)
            && AreSame(a.BasicAuth, b.BasicAuth);

    private static bool AreSame(BasicAuthOptions? a, BasicAuthOptions? b) =>
        a is null || b is null
            ? a == b
            : a.Realm == b.Realm && a.Users.SequenceEqual(b.Users);

    private static bool AreSame(LimitOptions? a, LimitOptions? b) => a is null || b is null
        ? a == b
        : a with { Rates = b.Rates, Connections = b.Connections } == b
            && a.Rates.SequenceEqual(b.Rates) && a.Connections.SequenceEqual(b.Connections);

    private static bool AreSame(CompressionOptions? a, CompressionOptions? b) =>
        a is null || b is null
            ? a == b
            : a with { Types = b.Types } == b && a.Types.SequenceEqual(b.Types);

    private static bool AreSame(RetryOptions? a, RetryOptions? b) => a is null || b is null
        ? a == b
        : a with { On = b.On } == b && a.On.SequenceEqual(b.On);
}
