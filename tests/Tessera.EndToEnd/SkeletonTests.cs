namespace Tessera.Tests; public class SkeletonTests { [Xunit.Fact] public void Runs() { } }
