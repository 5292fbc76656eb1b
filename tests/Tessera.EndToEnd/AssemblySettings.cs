using Xunit;

// The tests put load on a small machine and measure what that does: one at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
