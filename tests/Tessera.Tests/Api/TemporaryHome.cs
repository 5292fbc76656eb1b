namespace Tessera.Tests.Api;

/// <summary>A state folder with a path short enough for a socket; gone when disposed.</summary>
internal sealed class TemporaryHome : IDisposable
{
    public TesseraHome Home { get; } = new(Directory.CreateTempSubdirectory("tess").FullName);

    public void Dispose() => Directory.Delete(Home.Path, recursive: true);
}
