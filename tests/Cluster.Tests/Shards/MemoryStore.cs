using Metrics.Model;
using Metrics.PromQL;
using Metrics.Storage;

namespace Metrics.Cluster.Tests;

/// <summary>A disk that outlives stores, and can be told to fail: a list of committed samples for each folder.</summary>
internal sealed class MemoryDisk
{
    private ulong incarnation = 100;

    public Dictionary<string, List<(Labels Labels, long Time, double Value)>> Folders { get; } = [];

    public bool FailsCommits { get; set; }

    public bool FailsOpens { get; set; }

    public TaskCompletionSource? Gate { get; set; }

    public Task<IShardStore> Open(ShardId shard, string folder, ReplayMeter meter, CancellationToken cancellation)
    {
        Gate?.Task.Wait(cancellation);
        if (FailsOpens)
        {
            throw new IOException("disk is away");
        }

        lock (Folders)
        {
            var samples = Folders.TryGetValue(folder, out var found) ? found : Folders[folder] = [];
            meter.Begin(samples.Count);
            meter.Reach(samples.Count);
            return Task.FromResult<IShardStore>(new MemoryStore(this, samples, ++incarnation));
        }
    }
}

/// <summary>A store that applies at once and writes to its disk on commit.</summary>
internal sealed class MemoryStore(MemoryDisk disk, List<(Labels Labels, long Time, double Value)> committed, ulong incarnation) : IShardStore
{
    private readonly List<(Labels Labels, long Time, double Value)> applied = [.. committed];
    private readonly List<Labels> series = [.. committed.Select(c => c.Labels).Distinct()];

    public ulong Incarnation => incarnation;

    public bool HasRoom => true;

    public Task Failed { get; } = new TaskCompletionSource().Task;

    public ShardHistory History => ShardHistory.Unknown;

    public void VisitHeadPairs(LabelPairVisitor visit)
    {
    }

    public ShardStatistics Statistics => new(series.Count, 0, applied.Count, 0, 0, 0, 0);

    public AppendResult Append(SampleBatch batch, long maxTimeMs, out long position)
    {
        var refs = new uint[batch.NewSeriesCount];
        for (var i = 0; i < refs.Length; i++)
        {
            var labels = Labels.FromEncoded(batch.LabelsOf(i));
            refs[i] = (uint)series.IndexOf(labels);
            if (refs[i] == uint.MaxValue)
            {
                refs[i] = (uint)series.Count;
                series.Add(labels);
            }
        }

        var late = 0;
        for (var i = 0; i < batch.Count; i++)
        {
            var name = batch.Series[i];
            var labels = series[(int)((name & SampleBatch.NewSeriesFlag) != 0 ? refs[name & ~SampleBatch.NewSeriesFlag] : name)];
            var sample = (labels, batch.Times[i], batch.Values[i]);
            if (batch.Times[i] > maxTimeMs)
            {
                late++;
            }
            else if (!applied.Contains(sample))
            {
                applied.Add(sample);
            }
        }

        position = applied.Count;
        return new AppendResult
        {
            Status = AppendStatus.Done,
            Incarnation = incarnation,
            NewSeriesRefs = refs,
            Accepted = batch.Count - late,
            Rejections = late == 0 ? [] : [new Rejection(RejectReason.TooFarInFuture, late, "late")],
        };
    }

    public async ValueTask CommitAsync(long position)
    {
        await Task.Yield();
        if (disk.FailsCommits)
        {
            throw new IOException("no space left on device");
        }

        lock (disk.Folders)
        {
            committed.AddRange(applied.Take((int)position).Skip(committed.Count));
        }
    }

    public void Select(IReadOnlyList<Matcher> matchers, TimeRange range, SelectionHints hints, List<ISeriesSet> into, CancellationToken cancellation) =>
        into.Add(ListSeriesSet.Of(applied.Where(a => Matcher.AllMatch(matchers, a.Labels) && range.Contains(a.Time))));

    public void VisitSeries(IReadOnlyList<Matcher> matchers, TimeRange range, Metrics.Storage.LabelsVisitor visit, CancellationToken cancellation)
    {
        foreach (var (labels, _, _) in applied.Where(a => Matcher.AllMatch(matchers, a.Labels) && range.Contains(a.Time)))
        {
            visit(labels.Encoded);
        }
    }

    public void AddLabelNames(IReadOnlyList<Matcher> matchers, TimeRange range, ISet<string> into)
    {
        foreach (var labels in series.Where(s => Matcher.AllMatch(matchers, s)))
        {
            into.UnionWith(labels.Select(l => l.Key));
        }
    }

    public void AddLabelValues(string name, IReadOnlyList<Matcher> matchers, TimeRange range, ISet<string> into) =>
        into.UnionWith(series.Where(s => Matcher.AllMatch(matchers, s)).Select(s => s[name]).Where(v => v.Length > 0));

    public IReadOnlyList<DamagedBlock> Damaged => [];

    public IEnumerable<(Labels Series, Metrics.Storage.Exemplar Exemplar)> Exemplars(TimeRange range) => [];

    public void Maintain(CancellationToken cancellation)
    {
    }

    public void CutAll(CancellationToken cancellation)
    {
    }

    public Task ArchiveAsync(CancellationToken cancellation) => Task.CompletedTask;

    public Task DeleteAsync(IReadOnlyList<IReadOnlyList<Matcher>> selectors, TimeRange range, CancellationToken cancellation)
    {
        applied.RemoveAll(a => range.Contains(a.Time) && selectors.Any(s => Matcher.AllMatch(s, a.Labels)));
        return Task.CompletedTask;
    }

    public Task CleanDeletedAsync(CancellationToken cancellation) => Task.CompletedTask;

    public Task AdoptAsync(Ulid block, CancellationToken cancellation) => Task.CompletedTask;

    public Task PublishAsync(CancellationToken cancellation) => Task.CompletedTask;

    public Task NarrowAsync(CancellationToken cancellation) => Task.CompletedTask;

    public Task SealAsync(SealRequest request, CancellationToken cancellation) => Task.CompletedTask;

    public Task SnapshotAsync(string folder, CancellationToken cancellation) => Task.CompletedTask;

    public ValueTask DisposeAsync() => default;
}

internal sealed class ListSeriesSet(List<(Labels Labels, (long Time, double Value)[] Samples)> series) : ISeriesSet
{
    public bool IsDisposed { get; private set; }

    public int Count => series.Count;

    public static ListSeriesSet Of(IEnumerable<(Labels Labels, long Time, double Value)> samples) =>
        new([.. samples.GroupBy(s => s.Labels).Select(g => (g.Key, g.Select(s => (s.Time, s.Value)).OrderBy(s => s.Time).ToArray()))]);

    public Labels LabelsOf(int index) => series[index].Labels;

    public void Read(int index, SampleBuffer into)
    {
        foreach (var (time, value) in series[index].Samples)
        {
            into.Add(time, value);
        }
    }

    public void Dispose() => IsDisposed = true;
}
