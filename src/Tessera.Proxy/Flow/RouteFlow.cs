using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Flow;

/// <summary>What a route's rate limits say of a request.</summary>
/// <param name="Rule">The one that refuses or delays it; null when none does.</param>
/// <param name="IsRefused">It is not taken, and charged to none.</param>
/// <param name="WaitMs">
/// Taken: until it may go on. Refused: until another would be taken.
/// </param>
/// <param name="Excess">What the rule's bucket holds, in thousandths of requests.</param>
internal readonly record struct RateVerdict(
    RateRule? Rule, bool IsRefused, long WaitMs, long Excess)
{
    /// <summary>There was a limit with a key for the request.</summary>
    public bool IsAsked { get; init; }
}

/// <summary>
/// A route's limits, made ready once. Immutable; what they count is in their zones.
/// </summary>
internal sealed class RouteFlow
{
    private readonly RateRule[] _rates;
    private readonly ConnectionRule[] _connections;

    /// <exception cref="FormatException">See <see cref="FlowConfig.FindFault"/>.</exception>
    public RouteFlow(FlowConfig config, ZoneTable zones)
    {
        if (config.FindFault() is { } fault)
        {
            throw new FormatException(fault);
        }

        Config = config;
        _rates = [.. config.RateLimits.Select(r => new RateRule(r, zones))];
        RateText = config.RateText is null ? null : Template.Parse(config.RateText);
        RateAfterText = config.RateAfterText is null ? null : Template.Parse(config.RateAfterText);
        _connections = [.. config.ConnectionLimits.Select(c => new ConnectionRule(c, zones))];
    }

    public FlowConfig Config { get; }

    /// <summary>Becomes the rate in bytes a second; null leaves the configuration's.</summary>
    public Template? RateText { get; }

    public Template? RateAfterText { get; }

    /// <summary>
    /// The pace of a response, with what variables say of it. As with nginx, what a second may
    /// carry leaves at once where a file of its kind sets the rate.
    /// </summary>
    public Pacer PacerOf(Exchange exchange)
    {
        long free = RateAfterText is null
            ? Config.BytesBeforeLimit
            : SizeOf(RateAfterText, exchange);
        if (exchange.RateOverride < 0 && RateText is null)
        {
            return new Pacer(Config.BytesPerSecond, free);
        }

        long rate = exchange.RateOverride >= 0
            ? exchange.RateOverride
            : SizeOf(RateText!, exchange);
        return new Pacer(rate, free > long.MaxValue - rate ? free : free + rate);
    }

    /// <summary>What is no size limits nothing (ngx_http_complex_value_size).</summary>
    private static long SizeOf(Template template, Exchange exchange)
    {
        var text = new ByteWriter(stackalloc byte[64]);
        template.Write(ref text, exchange);
        return !text.HasOverflowed && Nginx.NginxValue.TrySize(
            System.Text.Encoding.ASCII.GetString(text.Written), out long bytes) ? bytes : 0;
    }

    /// <summary>
    /// Charges the request to all rate limits or to none. The longest wait of them counts, and the
    /// first that refuses decides, as with nginx.
    /// </summary>
    public RateVerdict Charge(Exchange exchange, long nowMs)
    {
        Span<ulong> keys = stackalloc ulong[FlowConfig.MaxRules];
        RateVerdict verdict = default;
        bool isAsked = false;
        for (int i = 0; i < _rates.Length; i++)
        {
            RateRule rule = _rates[i];
            keys[i] = rule.Key.Of(exchange);
            if (keys[i] == 0)
            {
                continue;
            }

            isAsked = true;
            if (!rule.Zone.TryCharge(keys[i], rule.Rate, rule.Burst, nowMs, out long excess))
            {
                Refund(keys[..i]);
                return new RateVerdict(
                    rule, IsRefused: true, rule.TimeOf(excess - rule.Burst), excess);
            }

            long waitMs = rule.TimeOf(excess - rule.FreeBurst);
            if (waitMs > verdict.WaitMs)
            {
                verdict = new RateVerdict(rule, IsRefused: false, waitMs, excess);
            }
        }

        return verdict with { IsAsked = isAsked };
    }

    /// <summary>
    /// Counts the request in for as long as the exchange lasts. Returns the rule that refuses it,
    /// or null.
    /// </summary>
    /// <param name="isAsked">There was a limit with a key for the request.</param>
    public ConnectionRule? TryEnter(Exchange exchange, out bool isAsked)
    {
        isAsked = false;
        foreach (ConnectionRule rule in _connections)
        {
            ulong key = rule.Key.Of(exchange);
            if (key == 0)
            {
                continue;
            }

            isAsked = true;
            if (!rule.Zone.TryEnter(key, rule.Max, out int slot))
            {
                return rule;
            }

            exchange.Occupy(rule.Zone, slot);
        }

        return null;
    }

    private void Refund(ReadOnlySpan<ulong> keys)
    {
        for (int i = 0; i < keys.Length; i++)
        {
            if (keys[i] != 0)
            {
                _rates[i].Zone.Refund(keys[i]);
            }
        }
    }
}

/// <summary>The key of a limit. Immutable.</summary>
internal sealed class LimitKey
{
    /// <summary>Longer keys are one key: nobody escapes a limit by a long value.</summary>
    private const int MaxBytes = 1_024;

    private readonly Template _template;

    public LimitKey(string text) => _template = Template.Parse(text);

    /// <summary>0 for an empty key, whose requests are not limited.</summary>
    public ulong Of(Exchange exchange)
    {
        var writer = new ByteWriter(stackalloc byte[MaxBytes]);
        _template.Write(ref writer, exchange);
        return writer.HasOverflowed ? KeyHash.Of("too long"u8)
            : writer.Length == 0 ? 0
            : KeyHash.Of(writer.Written);
    }
}

/// <summary>A rate limit of a route. Immutable.</summary>
internal sealed class RateRule
{
    public RateRule(RateLimitConfig config, ZoneTable zones)
    {
        Key = new LimitKey(config.Key);
        Zone = zones.Rate(config.Zone, config.MaxKeys);
        Rate = Math.Max(1, (long)Math.Round(config.RequestsPerSecond * RateZone.Request));
        Burst = config.Burst * RateZone.Request;
        FreeBurst = config.BurstWithoutDelay * RateZone.Request;
        Status = config.Status;
        LogLevel = config.LogLevel;
        ZoneName = config.Zone;
        IsDryRun = config.IsDryRun;
        Limit = $"limit \"{config.Zone}\"";
        Reason = $"too many requests (limit \"{config.Zone}\")";
    }

    public LimitKey Key { get; }

    public RateZone Zone { get; }

    /// <summary>Thousandths of requests a second.</summary>
    public long Rate { get; }

    /// <summary>Thousandths of requests.</summary>
    public long Burst { get; }

    /// <summary>Of the burst, what is not delayed.</summary>
    public long FreeBurst { get; }

    public int Status { get; }

    public ErrorLevel LogLevel { get; }

    public string ZoneName { get; }

    public bool IsDryRun { get; }

    /// <summary>What nginx's log says of it.</summary>
    public string DryRunText => IsDryRun ? ", dry run" : "";

    /// <summary>The name of the zone, in words.</summary>
    public string Limit { get; }

    public string Reason { get; }

    /// <summary>How long so much excess takes to leak, in milliseconds.</summary>
    public long TimeOf(long excess) => excess <= 0 ? 0 : excess * 1_000 / Rate;
}

/// <summary>A limit of requests at once. Immutable.</summary>
internal sealed class ConnectionRule
{
    public ConnectionRule(ConnectionLimitConfig config, ZoneTable zones)
    {
        Key = new LimitKey(config.Key);
        Zone = zones.Connection(config.Zone, config.MaxKeys);
        Max = config.Max;
        Status = config.Status;
        LogLevel = config.LogLevel;
        ZoneName = config.Zone;
        IsDryRun = config.IsDryRun;
        Reason = $"too many requests at once (limit \"{config.Zone}\")";
    }

    public LimitKey Key { get; }

    public ConnectionZone Zone { get; }

    public int Max { get; }

    public int Status { get; }

    public ErrorLevel LogLevel { get; }

    public string ZoneName { get; }

    public bool IsDryRun { get; }

    /// <summary>What nginx's log says of it.</summary>
    public string DryRunText => IsDryRun ? ", dry run" : "";

    public string Reason { get; }
}
