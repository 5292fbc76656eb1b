using System.Text;
using Shouldly;
using Tessera.Proxy.Files;
using Xunit;

namespace Tessera.Tests.Proxy.Files;

public sealed class FileCacheTests : IDisposable
{
    private readonly string _folder =
        Directory.CreateTempSubdirectory("tessera-cache-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_large_file_that_nobody_uses_is_closed_while_nothing_else_is_opened()
    {
        var cache = new FileCache(maxDescriptors: 8, maxBytes: 1_000_000);
        Find(cache, "large", FileCache.MaxContentBytes + 1, nowMs: 1_000);
        Find(cache, "small", 10, nowMs: 1_000);
        cache.Descriptors.ShouldBe(1);
        cache.CloseIdle(nowMs: 1_999);
        cache.Descriptors.ShouldBe(1);
        OpenFile again = Find(cache, "large", FileCache.MaxContentBytes + 1, nowMs: 1_999);
        cache.CloseIdle(nowMs: 2_998);
        again.Descriptor.ShouldBeGreaterThanOrEqualTo(0);
        cache.CloseIdle(nowMs: 2_999);
        cache.Descriptors.ShouldBe(0);
        again.Descriptor.ShouldBe(-1);
        cache.Count.ShouldBe(1);
    }

    [Fact]
    public void A_file_that_is_sent_stays_open()
    {
        var cache = new FileCache(maxDescriptors: 8, maxBytes: 1_000_000);
        OpenFile file = Find(cache, "large", FileCache.MaxContentBytes + 1, nowMs: 0);
        file.Acquire();
        cache.CloseIdle(nowMs: 5_000);
        cache.Descriptors.ShouldBe(0);
        file.Descriptor.ShouldBeGreaterThanOrEqualTo(0);
        file.Release();
        file.Descriptor.ShouldBe(-1);
    }

    private OpenFile Find(FileCache cache, string name, int bytes, long nowMs)
    {
        string path = Path.Combine(_folder, name);
        if (!File.Exists(path))
        {
            File.WriteAllBytes(path, new byte[bytes]);
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddDays(-1));
        }

        return cache.Find(
            FileSite.WholeSystem, Encoding.UTF8.GetBytes($"+{path}\0"), nowMs).File!;
    }
}
