using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster.Tests;

public sealed class HeadAppenderTests : IDisposable
{
    private readonly Head head = new(new HeadOptions());
    private readonly HeadAppender appender;

    public HeadAppenderTests()
    {
        appender = new HeadAppender(head, new ExemplarRing(10), new ActiveSeries(() => default).NewPart());
        Assert.Equal(1, Append((100, 1)).Accepted);
    }

    public static TheoryData<long, double, RejectReason> Cases => new()
    {
        { 100, 1, RejectReason.None },
        { 100, 2, RejectReason.DuplicateTimestamp },
        { 99, 1, RejectReason.OutOfOrder },
        { 101, 2, RejectReason.None },
        { 1000, 2, RejectReason.None },
        { 1001, 2, RejectReason.TooFarInFuture },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void EachSampleIsJudgedAndItsNeighboursAreTaken(long time, double value, RejectReason want)
    {
        var result = Append((time, value), (1000, 2));
        Assert.Equal(want == RejectReason.None ? 2 : 1, result.Accepted);
        Assert.Equal(want == RejectReason.None ? [] : [(want, 1)], result.Rejections.Select(r => (r.Reason, r.Count)));
        Assert.All(result.Rejections, r => Assert.Contains("series: m", r.Example));
    }

    [Fact]
    public void OnlyWhatIsNewHasToBeLogged()
    {
        Append((100, 1), (200, 2));
        Assert.Equal(0, appender.Record.SeriesCount);
        Assert.Equal((1, 200), (appender.Record.SampleCount, appender.Record.NewestMs));
        Append((100, 1), (200, 2));
        Assert.Equal(0, appender.Record.SampleCount);
    }

    [Fact]
    public void AnUnknownReferenceRefusesTheWholeBatch()
    {
        var batch = new SampleBatch { Incarnation = 1 };
        batch.Add(0, 200, 1);
        batch.Add(77, 200, 1);
        Assert.Equal(AppendStatus.StaleReferences, appender.Append(batch, 1, 1000).Status);
        Assert.Equal((0, 100), (appender.Record.SampleCount, head.MaxTimeMs));
    }

    [Fact]
    public void AnExemplarOfAKnownSeriesNeedsNoSampleAndOneOfAnUnknownSeriesMakesNone()
    {
        var batch = new SampleBatch();
        foreach (var name in new[] { "m", "unknown" })
        {
            var labels = Labels.Of(("__name__", name));
            batch.AddExemplar((uint)batch.AddSeries(labels.Encoded, labels.Hash) | SampleBatch.NewSeriesFlag, 100, 1, Labels.Of(("trace_id", name)));
        }

        var result = appender.Append(batch, 1, 1000);
        Assert.Equal((AppendStatus.Done, 0, 1, 0), (result.Status, result.Accepted, result.AcceptedExemplars, appender.Record.SeriesCount));
        Assert.Equal([0u, AppendResult.NoRef], result.NewSeriesRefs);

        var stale = new SampleBatch { Incarnation = 1 };
        stale.AddExemplar(77, 100, 1, Labels.Empty);
        Assert.Equal(AppendStatus.StaleReferences, appender.Append(stale, 1, 1000).Status);
    }

    public void Dispose() => head.Dispose();

    private AppendResult Append(params (long Time, double Value)[] samples)
    {
        var labels = Labels.Of(("__name__", "m"));
        var batch = new SampleBatch();
        var series = (uint)batch.AddSeries(labels.Encoded, labels.Hash) | SampleBatch.NewSeriesFlag;
        foreach (var (time, value) in samples)
        {
            batch.Add(series, time, value);
        }

        return appender.Append(batch, 1, 1000);
    }
}
