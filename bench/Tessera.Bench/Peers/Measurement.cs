using Tessera.Bench.Load;

namespace Tessera.Bench.Peers;

/// <summary>One proxy under one scenario in one round.</summary>
/// <param name="GrownBytes">By how much its resident set grew under the load.</param>
/// <param name="LogBytes">By how much its access log grew, warm-up included.</param>
/// <param name="StolenShare">Of the machine's time meanwhile, 0 to 1; 0 where it does not
/// matter.</param>
internal sealed record Measurement(
    string Peer,
    Scenario Scenario,
    int Round,
    LoadSample Load,
    TimeSpan Cpu,
    long ResidentBytes,
    long GrownBytes,
    long LogBytes,
    double StolenShare)
{
    public double CpuMicroseconds => Cpu.TotalMicroseconds / Math.Max(1, Load.Requests);

    public double BytesPerConnection => (double)GrownBytes / Scenario.Connections;

    /// <summary>Share of its core that the proxy used, 0 to 1.</summary>
    public double Busy => Cpu / Load.Elapsed;
}
