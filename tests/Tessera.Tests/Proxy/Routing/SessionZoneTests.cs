using System.Text;
using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Routing;
using Xunit;

namespace Tessera.Tests.Proxy.Routing;

public sealed class SessionZoneTests
{
    private static readonly byte[] A = [(byte)'a'];
    private static readonly byte[] B = [(byte)'b'];

    [Fact]
    public void A_session_lasts_until_it_was_not_used_for_long_enough()
    {
        SessionZone zone = Zone(maxSessions: 8);
        zone.Learn("one"u8, A, nowMs: 0);
        zone.Find("one"u8, nowMs: 999).ShouldBe(A);
        zone.Find("ONE"u8, nowMs: 999).ShouldBeNull();
        zone.Prolong("one"u8, B, nowMs: 999);
        zone.Find("one"u8, nowMs: 1_998).ShouldBe(B);
        zone.Find("one"u8, nowMs: 1_999).ShouldBeNull();
        zone.Prolong("one"u8, A, nowMs: 1_999);
        zone.Find("one"u8, nowMs: 1_999).ShouldBeNull();
    }

    [Fact]
    public void There_are_never_more_than_there_may_be()
    {
        SessionZone zone = Zone(maxSessions: 32);
        for (int i = 0; i < 1_000; i++)
        {
            zone.Learn(Encoding.ASCII.GetBytes($"session {i}"), A, nowMs: i);
            zone.Count.ShouldBeLessThanOrEqualTo(32);
        }

        zone.Find("session 999"u8, nowMs: 1_000).ShouldBe(A);
    }

    [Fact]
    public void Expired_sessions_make_room_before_others()
    {
        SessionZone zone = Zone(maxSessions: 2);
        zone.Learn("old"u8, A, nowMs: 0);
        zone.Learn("used"u8, A, nowMs: 900);
        zone.Learn("new"u8, B, nowMs: 1_100);
        zone.Find("used"u8, nowMs: 1_100).ShouldBe(A);
        zone.Find("new"u8, nowMs: 1_100).ShouldBe(B);
    }

    [Fact]
    public void What_is_too_long_or_nothing_is_no_session()
    {
        SessionZone zone = Zone(maxSessions: 2);
        byte[] huge = new byte[2_000];
        zone.Learn(huge, A, nowMs: 0);
        zone.Learn([], A, nowMs: 0);
        zone.Count.ShouldBe(0);
        zone.Find(huge, nowMs: 0).ShouldBeNull();
    }

    private static SessionZone Zone(int maxSessions) =>
        new(new LearnConfig("zone", maxSessions, []) { TimeoutMs = 1_000 });
}
