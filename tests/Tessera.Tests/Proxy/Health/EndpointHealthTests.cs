using System.Net;
using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Health;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Transports;
using Xunit;

namespace Tessera.Tests.Proxy.Health;

public sealed class EndpointHealthTests
{
    private const int FailTimeoutMs = 1_000;

    private long _nowMs = 1_000_000;

    [Fact]
    public void Avoids_an_endpoint_after_so_many_failures_within_the_time()
    {
        EndpointHealth health = Create(c => c with { MaxFails = 3 }).Health;
        Fail(health);
        _nowMs += FailTimeoutMs / 2;
        Fail(health);
        health.IsAvoided(_nowMs).ShouldBeFalse();

        // The first is too long ago when the third comes: a new count begins.
        _nowMs += FailTimeoutMs / 2;
        Fail(health);
        Fail(health);
        health.IsAvoided(_nowMs).ShouldBeFalse();
        Fail(health);
        health.IsAvoided(_nowMs).ShouldBeTrue();
        HealthStatus status = health.GetStatus(_nowMs);
        status.State.ShouldBe(HealthState.Avoided);
        status.Reason.ShouldBe("it broke");
    }

    [Fact]
    public void Lets_one_request_find_out_whether_it_is_well_again()
    {
        EndpointHealth health = Create(c => c).Health;
        Fail(health);
        _nowMs += FailTimeoutMs - 1;
        health.IsAvoided(_nowMs).ShouldBeTrue();
        _nowMs += 1;
        health.IsAvoided(_nowMs).ShouldBeFalse();
        health.NoteBegun(_nowMs);
        health.IsAvoided(_nowMs).ShouldBeTrue();

        // One failure is enough now, however many it took before.
        Fail(health);
        _nowMs += FailTimeoutMs;
        health.NoteBegun(_nowMs);
        long beganMs = _nowMs;
        _nowMs += 10;
        health.NoteSuccess(beganMs, _nowMs, isForOutlier: true);
        health.IsAvoided(_nowMs).ShouldBeFalse();
        health.GetStatus(_nowMs).State.ShouldBe(HealthState.Well);
        health.BackSinceMs.ShouldBe(_nowMs);
    }

    [Fact]
    public void Takes_no_success_of_a_request_from_before_the_failure()
    {
        EndpointHealth health = Create(c => c).Health;
        long beganMs = _nowMs;
        _nowMs += 10;
        Fail(health);
        health.NoteSuccess(beganMs, _nowMs + 10, isForOutlier: true);
        health.IsAvoided(_nowMs + 10).ShouldBeTrue();
    }

    [Theory]
    [InlineData(false, null, true)]
    [InlineData(true, null, false)]
    [InlineData(true, 1, true)]
    [InlineData(false, 0, false)]
    public void Counts_failures_of_managed_endpoints_only_when_told_to(
        bool isManaged, int? maxFails, bool isAvoided)
    {
        EndpointHealth health = Create(
            c => c with { MaxFails = maxFails }, b => b with { IsManaged = isManaged }).Health;
        Fail(health);
        health.IsAvoided(_nowMs).ShouldBe(isAvoided);
    }

    [Fact]
    public void Ejects_after_failures_in_a_row_and_for_longer_each_time()
    {
        var outlier = new OutlierConfig { ConsecutiveFailures = 3, EjectionMs = 1_000 };
        EndpointHealth health = Create(
            c => c with { MaxFails = 0 }, b => b with { Outlier = outlier }, count: 2).Health;
        for (int i = 0; i < 10; i++)
        {
            Fail(health);
            Fail(health);
            health.NoteSuccess(_nowMs, _nowMs, isForOutlier: true);
        }

        health.IsAvoided(_nowMs).ShouldBeFalse();
        for (int ejection = 1; ejection <= 12; ejection++)
        {
            Fail(health, times: 3);
            health.GetStatus(_nowMs).State.ShouldBe(HealthState.Ejected);
            health.GetStatus(_nowMs).Reason.ShouldBe("3 failures in a row");
            _nowMs += (Math.Min(ejection, 10) * 1_000) - 1;
            health.IsAvoided(_nowMs).ShouldBeTrue($"ejection {ejection}");
            _nowMs++;
            health.IsAvoided(_nowMs).ShouldBeFalse($"ejection {ejection}");
        }

        // As long without one as all of them were: it starts anew.
        _nowMs += 20_000;
        Fail(health, times: 3);
        _nowMs += 1_000;
        health.IsAvoided(_nowMs).ShouldBeFalse();
    }

    [Fact]
    public void Ejects_by_the_share_of_failures_once_there_are_enough_requests()
    {
        var outlier = new OutlierConfig
        {
            ConsecutiveFailures = 0,
            FailurePercent = 50,
            MinRequests = 10,
            WindowMs = 1_000,
        };
        EndpointHealth health = Create(
            c => c with { MaxFails = 0 }, b => b with { Outlier = outlier }, count: 2).Health;
        Fail(health, times: 4);

        // What an older window counted is forgotten.
        _nowMs += 1_000;
        for (int i = 0; i < 5; i++)
        {
            health.NoteSuccess(_nowMs, _nowMs, isForOutlier: true);
        }

        Fail(health, times: 4);
        health.IsAvoided(_nowMs).ShouldBeFalse();
        Fail(health);
        health.IsAvoided(_nowMs).ShouldBeTrue();
        health.GetStatus(_nowMs).Reason.ShouldBe("5 of 10 requests failed");
    }

    [Theory]
    [InlineData(1, 100, 0)]
    [InlineData(2, 100, 1)]
    [InlineData(2, 50, 1)]
    [InlineData(4, 50, 2)]
    [InlineData(5, 50, 2)]
    [InlineData(5, 10, 0)]
    public void Never_ejects_more_than_the_ceiling_nor_all(int count, int percent, int ejected)
    {
        var outlier = new OutlierConfig { ConsecutiveFailures = 1, MaxEjectedPercent = percent };
        Endpoint[] endpoints = CreateAll(
            c => c with { MaxFails = 0 }, b => b with { Outlier = outlier }, count);
        Parallel.For(0, 8 * count, i => Fail(endpoints[i % count].Health, times: 50));
        endpoints.Count(e => e.Health.IsEjected(_nowMs)).ShouldBe(ejected);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 100)]
    [InlineData(8, 5_000)]
    public void Loses_no_failure_of_any_thread(int threads, int each)
    {
        var count = default(FailureCount);
        Parallel.For(0, threads, _ =>
        {
            for (int i = 0; i < each; i++)
            {
                count.Add(5_000, 1_000);
            }
        });
        count.Add(5_999, 1_000).ShouldBe((threads * each) + 1);
        count.Add(6_999, 1_000).ShouldBe(1);
    }

    [Fact]
    public void Goes_on_ejecting_after_a_fault()
    {
        var outlier = new OutlierConfig { ConsecutiveFailures = 1 };
        Endpoint[] endpoints = CreateAll(c => c, null, count: 2);
        var backend = new BackendHealth("web", () => { });
        backend.Apply(
            new BackendSet(
                new BackendConfig
                {
                    Name = "web",
                    Endpoints = [.. endpoints.Select(e => e.Config)],
                },
                endpoints),
            []);
        Should.Throw<NullReferenceException>(
            () => backend.TryEject(null!, "none", outlier, "it broke", _nowMs));
        backend.TryEject(endpoints[0].Health, "web-0", outlier, "it broke", _nowMs);
        endpoints[0].Health.IsEjected(_nowMs).ShouldBeTrue();
    }

    private static Endpoint Create(
        Func<EndpointConfig, EndpointConfig> change,
        Func<BackendConfig, BackendConfig>? backend = null,
        int count = 1) => CreateAll(change, backend, count)[0];

    private static Endpoint[] CreateAll(
        Func<EndpointConfig, EndpointConfig> change,
        Func<BackendConfig, BackendConfig>? changeBackend,
        int count)
    {
        EndpointConfig[] configs = [.. Enumerable.Range(0, count).Select(i => change(
            new EndpointConfig
            {
                Id = $"web-{i}",
                Address = new IPEndPoint(IPAddress.Loopback, 1_000 + i),
                FailTimeoutMs = FailTimeoutMs,
            }))];
        var config = new BackendConfig { Name = "web", Endpoints = [.. configs] };
        config = changeBackend?.Invoke(config) ?? config;
        Endpoint[] endpoints = Array.ConvertAll(
            configs, c => new Endpoint(c, [new UpstreamPool(1, 1_000)]));
        var set = new BackendSet(config, endpoints);
        new Backend("web", set, reactors: 1).Health.Apply(set, []);
        return endpoints;
    }

    private void Fail(EndpointHealth health, int times = 1)
    {
        for (int i = 0; i < times; i++)
        {
            health.NoteFailure(_nowMs, isForMaxFails: true, isForOutlier: true, "it broke");
        }
    }
}
