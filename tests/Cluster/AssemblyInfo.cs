using Xunit;

[assembly: TestCollectionOrderer("Metrics.EndToEnd.Programs.LongestFirst", "Metrics.Cluster.Silos")]
