using System.Globalization;
using Shouldly;

namespace Tessera.EndToEnd.Harness;

/// <summary>
/// One instance of Apps/moody_app.py, spoken to past the balancer. Safe from any thread.
/// </summary>
public sealed class MoodyApp(int port)
{
    public int Port => port;

    public static MoodyApp Of(InstanceRow row) =>
        new(int.Parse(row.Address.Split(':')[^1], CultureInfo.InvariantCulture));

    /// <summary>Every instance of a project in the order of <c>ps</c>.</summary>
    public static async Task<MoodyApp[]> AllOfAsync(ComposeProject project) =>
        [.. (await project.PsAsync()).Select(Of)];

    /// <summary>One that stands outside of Tessera's care; it listens when this returns.</summary>
    public static async Task<(MoodyApp App, RunningCommand Process)> StartAsync(
        TesseraHost host, string name)
    {
        var app = new MoodyApp(FreePorts.Next());
        RunningCommand process = host.StartOther(
            App.Python, [App.PathOf("moody_app.py"), "--port", $"{app.Port}"],
            ("TESSERA_INSTANCE", name));
        await Eventually.HoldsAsync($"{name} listens", () => !FreePorts.IsFree(app.Port));
        return (app, process);
    }

    /// <param name="mood">Such as <c>status=500&amp;delay=0.5</c>.</param>
    public async Task SetAsync(string mood) =>
        (await RawHttp.GetAsync(port, "/.set?" + mood)).Status.ShouldBe(200);

    /// <summary>Requests it got: method, path and length of the body.</summary>
    public async Task<string[]> LogAsync() => (await RawHttp.GetAsync(port, "/.log"))
        .Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
