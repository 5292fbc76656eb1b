using System.Collections.Immutable;
using System.Net;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Stack.Routing;

namespace Tessera.Daemon;

/// <summary>From the words of a file to those of the data plane, rule by rule. Pure.</summary>
internal static class RuleTranslation
{
    /// <param name="zone">Names the limits of the route: <c>project/service/index</c>.</param>
    /// <param name="backend">Null for a service that answers by itself.</param>
    public static IEnumerable<RouteConfig> Routes(
        RouteOptions route, Service service, string name, string zone, string? backend)
    {
        RouteRules rules = route.Rules.Over(service.Options.Rules);
        HeaderOptions headers = rules.Headers ?? new HeaderOptions();
        var config = new RouteConfig
        {
            Name = name,
            Path = Path(route.Path),
            Methods = route.Methods,
            Headers = [.. route.Headers.Select(Condition)],
            Query = [.. route.Query.Select(Condition)],
            Backend = backend,
            Redirect = rules.Redirect is { } to ? new RedirectConfig(to.To, to.Status) : null,
            Reply = rules.Reply is { } reply ? Reply(reply) : null,
            Files = rules.Files is { } files ? Files(files) : null,
            Rewrite = rules.Rewrite is { } rewrite ? Rewrite(rewrite) : null,
            Limits = Limits(rules, service.Options),
            Retry = rules.Retry is { } retry ? Retry(retry) : null,
            Access = rules.Access is { } access ? Access(access) : null,
            Flow = rules.Limits is { } limits ? Flow(limits, zone) : null,
            RequestHeaders =
                [.. headers.Request.Select(line => new FieldConfig(line.Name, line.Value))],
            ResponseHeaders = [.. ResponseFields(headers)],
            Compression = rules.Compression is { IsOn: true } on ? Compression(on) : null,
        };
        return route.Hosts.IsEmpty
            ? [config]
            : route.Hosts.Distinct().Select(host => config with { Host = host });
    }

    public static BackendLimits Limits(ServiceOptions options) => BackendLimits.Default with
    {
        ConnectTimeoutMs = Milliseconds(options.ConnectTimeout),
        ReadTimeoutMs = Milliseconds(options.ReadTimeout),
        SendTimeoutMs = Milliseconds(options.SendTimeout),
        TunnelIdleTimeoutMs = Milliseconds(options.TunnelTimeout),
        HoldTimeoutMs = Milliseconds(options.HoldTimeout),
        HoldQueueLength = options.HoldQueueLength,
    };

    public static RetryConfig Retry(RetryOptions options) => new()
    {
        On = options.On.Aggregate(RetryConditions.None, (all, word) => all | Condition(word)),
        Tries = options.Tries,
        TimeoutMs = Milliseconds(options.Timeout),
        BudgetPercent = options.BudgetPercent,
        ReplayBytes = options.ReplayBytes,
        BufferBytes = options.BufferBytes,
    };

    public static BalanceAlgorithm Algorithm(string name) => name switch
    {
        "least_conn" => BalanceAlgorithm.LeastConnections,
        "ip_hash" => BalanceAlgorithm.IpHash,
        "hash" => BalanceAlgorithm.Hash,
        "hash_consistent" => BalanceAlgorithm.ConsistentHash,
        "random" => BalanceAlgorithm.Random,
        "random_two" => BalanceAlgorithm.RandomTwo,
        "least_time" => BalanceAlgorithm.LeastTimeFirstByte,
        "fair" => BalanceAlgorithm.LeastTimeLastByte,
        _ => BalanceAlgorithm.RoundRobin,
    };

    public static HealthProbeConfig Probe(ProbeOptions options) => new()
    {
        Kind = options.IsHttp ? HealthProbeKind.Http : HealthProbeKind.Tcp,
        Path = options.Path,
        Host = options.Host,
        MinStatus = options.MinStatus,
        MaxStatus = options.MaxStatus,
        BodyContains = options.BodyContains,
        IntervalMs = Milliseconds(options.Interval),
        TimeoutMs = Milliseconds(options.Timeout),
        Rises = options.Rises,
        Falls = options.Falls,
        MinHealthyPercent = options.MinHealthyPercent,
    };

    public static OutlierConfig Outlier(OutlierOptions options) => new()
    {
        ConsecutiveFailures = options.ConsecutiveFailures,
        FailurePercent = options.FailurePercent,
        MinRequests = options.MinRequests,
        WindowMs = Milliseconds(options.Window),
        EjectionMs = Milliseconds(options.Ejection),
        MaxEjectedPercent = options.MaxEjectedPercent,
    };

    public static StickyConfig Sticky(StickyOptions options, ImmutableArray<byte> key) => new()
    {
        Name = options.Name,
        Path = options.Path,
        LifetimeSeconds = (int)Math.Min(options.Lifetime.TotalSeconds, int.MaxValue),
        IsSecure = options.IsSecure,
        Key = key,
    };

    public static EndpointConfig Limited(EndpointConfig endpoint, EndpointLimits limits) =>
        endpoint with
        {
            MaxConnections = limits.MaxConnections,
            MaxFails = limits.MaxFails,
            FailTimeoutMs = Milliseconds(limits.FailTimeout),
            SlowStartMs = Milliseconds(limits.SlowStart),
        };

    private static int Milliseconds(TimeSpan time) =>
        (int)Math.Clamp(time.TotalMilliseconds, 0, int.MaxValue);

    private static PathMatch Path(RoutePath path) => new(
        path.Kind switch
        {
            RoutePathKind.Prefix => PathMatchKind.Prefix,
            RoutePathKind.PrefixFirst => PathMatchKind.PrefixBeforeRegex,
            RoutePathKind.Exact => PathMatchKind.Exact,
            RoutePathKind.Pattern => PathMatchKind.Regex,
            RoutePathKind.PatternIgnoreCase => PathMatchKind.RegexIgnoreCase,
            _ => PathMatchKind.SegmentPrefix,
        },
        path.Text);

    private static ValueMatch Condition(RouteCondition condition) =>
        new(condition.Name, condition.Value, condition.Pattern);

    private static ReplyConfig Reply(ReplyOptions options)
    {
        var reply = new ReplyConfig(options.Status, options.Body);
        return options.ContentType is { } type ? reply with { ContentType = type } : reply;
    }

    private static FilesConfig Files(FilesOptions options)
    {
        var files = new FilesConfig
        {
            Root = options.Root,
            StripPrefix = options.StripPrefix,
            Index = options.Index,
            TryFiles = options.TryFiles,
            Types = options.Types,
            IsPrecompressed = options.IsPrecompressed,
            MayLeaveByLink = options.FollowsLinks,
            ListsFolders = options.ListsFolders,
            CacheControl = options.CacheControl,
        };
        return options.DefaultType is { } type ? files with { DefaultType = type } : files;
    }

    private static RewriteConfig Rewrite(RewriteOptions options) => new()
    {
        StripPrefix = options.StripPrefix,
        Pattern = options.Pattern,
        Replacement = options.Replacement,
        AddPrefix = options.AddPrefix,
    };

    /// <summary>Null when the route has no time-outs of its own.</summary>
    private static BackendLimits? Limits(RouteRules rules, ServiceOptions options)
    {
        ServiceOptions own = options with
        {
            ConnectTimeout = rules.ConnectTimeout ?? options.ConnectTimeout,
            ReadTimeout = rules.ReadTimeout ?? options.ReadTimeout,
            SendTimeout = rules.SendTimeout ?? options.SendTimeout,
            TunnelTimeout = rules.TunnelTimeout ?? options.TunnelTimeout,
        };
        return own == options ? null : Limits(own);
    }

    /// <summary>
    /// Refusals first, so that they hold within what is allowed; who allows anything refuses
    /// the rest.
    /// </summary>
    private static AccessConfig Access(AccessOptions options)
    {
        var rules = ImmutableArray.CreateBuilder<AddressRule>();
        rules.AddRange(options.Deny.Select(text => new AddressRule(false, Network(text))));
        rules.AddRange(options.Allow.Select(text => new AddressRule(true, Network(text))));
        if (!options.Allow.IsEmpty)
        {
            rules.Add(new AddressRule(false, null));
        }

        return new AccessConfig
        {
            Addresses = rules.ToImmutable(),
            BasicAuth = options.BasicAuth is { } auth
                ? new BasicAuthConfig { Realm = auth.Realm, Users = auth.Users }
                : null,
            IsAnyEnough = options.IsAnyEnough,
        };
    }

    /// <summary>Null for every address.</summary>
    private static IPNetwork? Network(string text) => text == "all" ? null
        : IPAddress.TryParse(text, out IPAddress? address)
            ? new IPNetwork(address, address.GetAddressBytes().Length * 8)
            : IPNetwork.Parse(text);

    private static FlowConfig Flow(LimitOptions options, string zone)
    {
        // Each limit has buckets of its own, counted through over both kinds.
        int first = options.Rates.Length;
        return new FlowConfig
        {
            RateLimits = [.. options.Rates.Select((rate, i) => new RateLimitConfig
            {
                Zone = $"{zone}/{i}",
                Key = rate.Key,
                RequestsPerSecond = rate.RequestsPerSecond,
                Burst = rate.Burst,
                BurstWithoutDelay = rate.Delay ?? int.MaxValue,
                Status = rate.Status,
            })],
            ConnectionLimits = [.. options.Connections.Select((limit, i) =>
                new ConnectionLimitConfig
                {
                    Zone = $"{zone}/{first + i}",
                    Key = limit.Key,
                    Max = limit.Max,
                    Status = limit.Status,
                })],
            BytesPerSecond = options.Bandwidth,
            BytesBeforeLimit = options.BandwidthAfter,
            MaxBodyBytes = options.MaxBodyBytes,
        };
    }

    /// <summary>A field that is set takes the place of what the instance sent.</summary>
    private static IEnumerable<FieldConfig> ResponseFields(HeaderOptions headers) =>
    [
        .. headers.Response.Select(line => new FieldConfig(line.Name, "")),
        .. headers.Response.Where(line => line.Value.Length > 0).Concat(headers.Add)
            .Select(line => new FieldConfig(line.Name, line.Value)),
    ];

    private static CompressionConfig Compression(CompressionOptions options)
    {
        var compression = new CompressionConfig
        {
            UsesGzip = options.UsesGzip,
            UsesBrotli = options.UsesBrotli,
            MinBytes = options.MinBytes,
            Level = options.Level,
        };
        return options.Types.IsEmpty ? compression : compression with { Types = options.Types };
    }

    private static RetryConditions Condition(string word) => word switch
    {
        "error" => RetryConditions.Error,
        "timeout" => RetryConditions.Timeout,
        "invalid_header" => RetryConditions.InvalidHeader,
        "http_500" => RetryConditions.Http500,
        "http_502" => RetryConditions.Http502,
        "http_503" => RetryConditions.Http503,
        "http_504" => RetryConditions.Http504,
        "http_5xx" => RetryConditions.Http500 | RetryConditions.Http502
            | RetryConditions.Http503 | RetryConditions.Http504,
        "http_403" => RetryConditions.Http403,
        "http_404" => RetryConditions.Http404,
        "http_429" => RetryConditions.Http429,
        "non_idempotent" => RetryConditions.NonIdempotent,
        _ => RetryConditions.None,
    };
}
