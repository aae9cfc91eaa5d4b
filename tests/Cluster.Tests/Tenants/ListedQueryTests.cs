using Metrics.Model;

namespace Metrics.Cluster.Tests;

public class ListedQueryTests
{
    private static readonly ListedQuery[] Queries =
    [
        new("1f-1", "sum(up)", IsRunning: true, new TimeRange(-5, long.MaxValue), 15_000, TimeSpan.FromMilliseconds(1234)),
        new("2", "", IsRunning: false, new TimeRange(long.MinValue, 0), 0, TimeSpan.Zero),
    ];

    [Fact]
    public void QueriesComeBackAsTheyWere()
    {
        Assert.Equal(Queries, ListedQuery.Read(ListedQuery.ToBytes(Queries).Span));
        Assert.Empty(ListedQuery.Read(ListedQuery.ToBytes([]).Span));
    }

    [Fact]
    public void NoPrefixIsTakenForQueries()
    {
        var bytes = ListedQuery.ToBytes(Queries);
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.Throws<InvalidDataException>(() => ListedQuery.Read(bytes.Span[..length]));
        }

        Assert.Throws<InvalidDataException>(() => ListedQuery.Read([.. bytes.Span, 0]));
    }
}
