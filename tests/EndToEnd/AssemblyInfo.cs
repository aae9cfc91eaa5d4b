using Xunit;

[assembly: TestCollectionOrderer("Metrics.EndToEnd.Programs.LongestFirst", "Metrics.EndToEnd")]

// Two of them watch real programs for more than a minute and do next to nothing.
[assembly: CollectionBehavior(MaxParallelThreads = 4)]
