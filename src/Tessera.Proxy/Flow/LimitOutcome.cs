namespace Tessera.Proxy.Flow;

/// <summary>What limits of a kind said of a request: nginx's $limit_req_status.</summary>
internal enum LimitOutcome : byte
{
    /// <summary>There was none to ask.</summary>
    None,
    Passed,
    Delayed,
    Rejected,
    DelayedDryRun,
    RejectedDryRun,
}
