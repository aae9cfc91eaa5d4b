using Xunit;

// One test measures the memory of the process, and another server's start would be in its figures.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
