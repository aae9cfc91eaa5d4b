using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Cluster.Tests;

/// <summary>A tenant of shards that keep what they are given in dictionaries, and refuse what they are told to.</summary>
internal sealed class FakeTenant : ITenant
{
    public FakeTenant(int shards = 2)
    {
        Fakes = [.. ShardMap.Create(shards).Ranges.Select(r => new FakeShard(new ShardId(Id, r)))];
        Shards = Fakes;
    }

    public TenantId Id { get; } = TenantId.Parse("fake");

    public FakeShard[] Fakes { get; }

    public IReadOnlyList<IShard> Shards { get; }

    public ValueTask<string> SnapshotAsync(bool skipHead, CancellationToken cancellation) => ValueTask.FromResult("snapshot");

    public IMetricMetadata Metadata => throw new NotSupportedException();

    public IEnumerable<(string Labels, long Time, double Value)> Samples => Fakes.SelectMany(f => f.Samples).OrderBy(s => s.Labels, StringComparer.Ordinal).ThenBy(s => s.Time);

    public int LabelSetsCarried => Fakes.Sum(f => f.LabelSetsCarried);
}

internal sealed class FakeShard(ShardId id) : IShard
{
    private readonly List<Labels> series = [];

    public ShardId Id => id;

    public ulong Incarnation { get; set; } = 7;

    public bool IsDown { get; set; }

    /// <summary>True when others own its range; told as an answer by one half of the shards, and as an exception by the other.</summary>
    public bool IsMoved { get; set; }

    public int LabelSetsCarried { get; private set; }

    public int Batches { get; private set; }

    public List<(string Labels, long Time, double Value)> Samples { get; } = [];

    public List<(string Labels, long Time)> Exemplars { get; } = [];

    public IAsyncEnumerable<RawSeries> ReadAsync(IReadOnlyList<Matcher> matchers, TimeRange range, CancellationToken cancellation) => AsyncEnumerable.Empty<RawSeries>();

    public ValueTask<IReadOnlyList<SeriesExemplars>> ExemplarsAsync(LabelQuery query, CancellationToken cancellation) => ValueTask.FromResult<IReadOnlyList<SeriesExemplars>>([]);

    public ShardStatistics Statistics => default;

    public ValueTask FlushAsync(CancellationToken cancellation) => default;

    public ValueTask DeleteAsync(LabelQuery query, CancellationToken cancellation) => default;

    public ValueTask CleanDeletedAsync(CancellationToken cancellation) => default;

    public ValueTask SnapshotAsync(string folder, bool skipHead, CancellationToken cancellation) => default;

    public async ValueTask<AppendResult> AppendAsync(SampleBatch batch, CancellationToken cancellation)
    {
        if (IsDown)
        {
            throw new ShardUnavailableException(id, "told to");
        }

        await Task.Yield();
        if (IsMoved)
        {
            return id.Range.Prefix == 0 ? new AppendResult { Status = AppendStatus.NotOwner } : throw ShardUnavailableException.Moved(id);
        }

        Batches++;
        if (batch.Incarnation != 0 && batch.Incarnation != Incarnation)
        {
            return new AppendResult { Status = AppendStatus.StaleReferences, Incarnation = Incarnation };
        }

        var refs = new uint[batch.NewSeriesCount];
        for (var i = 0; i < refs.Length; i++)
        {
            LabelSetsCarried++;
            var labels = Labels.FromEncoded(batch.LabelsOf(i));
            Assert.Equal(labels.Hash, batch.HashOf(i));
            Assert.True(id.Range.Contains(batch.HashOf(i)));
            var known = series.IndexOf(labels);
            if (known < 0)
            {
                known = series.Count;
                series.Add(labels);
            }

            refs[i] = (uint)known;
        }

        for (var i = 0; i < batch.Count; i++)
        {
            var name = batch.Series[i];
            var at = (name & SampleBatch.NewSeriesFlag) != 0 ? refs[name & ~SampleBatch.NewSeriesFlag] : name;
            Samples.Add((series[(int)at].ToString(), batch.Times[i], batch.Values[i]));
        }

        foreach (var exemplar in batch.Exemplars)
        {
            var at = (exemplar.Series & SampleBatch.NewSeriesFlag) != 0 ? refs[exemplar.Series & ~SampleBatch.NewSeriesFlag] : exemplar.Series;
            Exemplars.Add((series[(int)at].ToString(), exemplar.TimeMs));
        }

        return new AppendResult { Status = AppendStatus.Done, Incarnation = Incarnation, NewSeriesRefs = refs, Accepted = batch.Count, AcceptedExemplars = batch.Exemplars.Count };
    }

    /// <summary>Forgets references as a restart does, but not samples.</summary>
    public void Restart()
    {
        series.Reverse();
        Incarnation++;
    }

    public ValueTask<FragmentResult> RunAsync(Fragment fragment, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask<IReadOnlyList<Labels>> SeriesAsync(LabelQuery query, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask<IReadOnlyList<string>> LabelNamesAsync(LabelQuery query, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask<IReadOnlyList<string>> LabelValuesAsync(string name, LabelQuery query, CancellationToken cancellation) => throw new NotSupportedException();
}
