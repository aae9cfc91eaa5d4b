using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Metrics.Cluster;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL;
using Xunit;

namespace Metrics.Gateway.Tests;

/// <summary>A cluster in memory that keeps what is written, and fails when told to.</summary>
internal sealed class FakeCluster : ICluster
{
    private readonly ConcurrentDictionary<TenantId, FakeTenant> tenants = new();

    public ReplayProgress Progress { get; set; } = new(true, 0, 0, 0, 0);

    public IObjectStore? Objects { get; set; } = new MemoryObjectStore(TimeProvider.System);

    /// <summary>Thrown by every append when set.</summary>
    public Exception? AppendFailure { get; set; }

    /// <summary>Thrown by every fragment when set.</summary>
    public Exception? QueryFailure { get; set; }

    /// <summary>What every fragment comes to; without it they fail.</summary>
    public Func<FragmentResult>? Answer { get; set; }

    /// <summary>What every shard says of its past.</summary>
    public ShardHistory History { get; set; } = ShardHistory.Unknown;

    /// <summary>Awaited by everything that reads and is no query; it may wait or throw.</summary>
    public Func<CancellationToken, Task> Reading { get; set; } = static _ => Task.CompletedTask;

    /// <summary>What every append says it refused.</summary>
    public IReadOnlyList<Rejection> Rejections { get; set; } = [];

    public IReadOnlyList<ITenant> Tenants => [.. tenants.Values.OrderBy(t => t.Id)];

    public IClusterControl? Control { get; set; }

    public IRuleCluster? Rules { get; init; }

    public IReplicaElector? Elector { get; init; }

    public string ProcessName { get; init; } = "";

    /// <summary>The other processes that take requests.</summary>
    public List<FakeCluster> Others { get; } = [];

    /// <summary>True when it does not answer the others.</summary>
    public bool IsSilent { get; set; }

    private IListedQueries? Queries { get; set; }

    public FakeTenant this[string tenant] => tenants.GetOrAdd(TenantId.Parse(tenant), id => new FakeTenant(this, id));

    public void ServeQueries(IListedQueries served) => Queries = served;

    public ValueTask<QueriesElsewhere> QueriesElsewhereAsync(TenantId tenant, CancellationToken cancellation) => ValueTask.FromResult(
        new QueriesElsewhere([.. Others.Where(static o => !o.IsSilent).SelectMany(o => o.Queries!.Of(tenant))], [.. Others.Where(static o => o.IsSilent).Select(static o => $"silo {o.ProcessName} did not answer")]));

    public ValueTask<bool> StopElsewhereAsync(TenantId tenant, string process, string id, CancellationToken cancellation) => Others.SingleOrDefault(o => o.ProcessName == process) is not { } other ? ValueTask.FromResult(false)
        : other.IsSilent ? throw new IOException($"silo {process} did not answer")
        : ValueTask.FromResult(other.Queries!.Cancel(tenant, id));

    public long SamplesAppended(TenantId tenant) => this[tenant.Value].Shards.Sum(static s => s.Statistics.SamplesAppended);

    public ValueTask<ITenant> OpenTenantAsync(TenantId tenant, CancellationToken cancellation) => ValueTask.FromResult<ITenant>(this[tenant.Value]);

    public ValueTask<ITenant?> FindTenantAsync(TenantId tenant, CancellationToken cancellation) =>
        ValueTask.FromResult<ITenant?>(tenants.GetValueOrDefault(tenant));

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

internal sealed class FakeTenant : ITenant
{
    public FakeTenant(FakeCluster cluster, TenantId id)
    {
        Id = id;
        Shards = [.. HashRange.Partition(1).Select(range => new FakeShard(cluster, new ShardId(id, range)))];
    }

    public TenantId Id { get; }

    public IReadOnlyList<IShard> Shards { get; }

    public ValueTask<string> SnapshotAsync(bool skipHead, CancellationToken cancellation) => ValueTask.FromResult("snapshot");

    public IMetricMetadata Metadata { get; } = new FakeMetadata();

    /// <summary>All samples as text, in order.</summary>
    public IReadOnlyList<string> Samples => [.. Shards.Cast<FakeShard>().SelectMany(s => s.Samples).Order(StringComparer.Ordinal)];
}

internal sealed class FakeShard(FakeCluster cluster, ShardId id) : IShard
{
    private readonly Lock gate = new();
    private readonly List<Labels> series = [];
    private readonly Dictionary<Labels, uint> refs = [];
    private readonly SortedSet<string> samples = new(StringComparer.Ordinal);
    private long appended;

    public ShardId Id { get; } = id;

    public async IAsyncEnumerable<RawSeries> ReadAsync(IReadOnlyList<Matcher> matchers, TimeRange range, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await cluster.Reading(cancellation);
        yield break;
    }

    public async ValueTask<IReadOnlyList<SeriesExemplars>> ExemplarsAsync(LabelQuery query, CancellationToken cancellation)
    {
        await cluster.Reading(cancellation);
        return [];
    }

    public ShardStatistics Statistics => new(series.Count, series.Count, appended, appended * 16, 0, 0, 0);

    public ValueTask FlushAsync(CancellationToken cancellation) => default;

    public ValueTask DeleteAsync(LabelQuery query, CancellationToken cancellation) => default;

    public ValueTask CleanDeletedAsync(CancellationToken cancellation) => default;

    public ValueTask SnapshotAsync(string folder, bool skipHead, CancellationToken cancellation) => default;

    public IReadOnlyList<string> Samples
    {
        get
        {
            lock (gate)
            {
                return [.. samples];
            }
        }
    }

    public ValueTask<AppendResult> AppendAsync(SampleBatch batch, CancellationToken cancellation)
    {
        if (cluster.AppendFailure is { } failure)
        {
            throw failure;
        }

        lock (gate)
        {
            var newRefs = new uint[batch.NewSeriesCount];
            for (var i = 0; i < newRefs.Length; i++)
            {
                newRefs[i] = RefOf(Labels.FromEncoded(batch.LabelsOf(i)));
                Assert.True(Id.Range.Contains(batch.HashOf(i)), "a series was sent to the wrong shard");
            }

            for (var i = 0; i < batch.Count; i++)
            {
                var at = (batch.Series[i] & SampleBatch.NewSeriesFlag) != 0 ? newRefs[batch.Series[i] & ~SampleBatch.NewSeriesFlag] : batch.Series[i];
                samples.Add($"{series[(int)at - 1]} {batch.Times[i]} {(batch.HasHistograms ? batch.Histograms[i] : null)?.ToString() ?? batch.Values[i].ToString()}");
            }

            appended += batch.Count;
            return ValueTask.FromResult(new AppendResult
            {
                Status = AppendStatus.Done,
                Incarnation = 1,
                NewSeriesRefs = newRefs,
                Accepted = batch.Count - cluster.Rejections.Sum(r => r.Count),
                AcceptedHistograms = batch.HasHistograms ? batch.Histograms.ToArray().Count(h => h is not null) : 0,
                Rejections = cluster.Rejections,
            });
        }
    }

    public async ValueTask<IReadOnlyList<Labels>> SeriesAsync(LabelQuery query, CancellationToken cancellation)
    {
        await cluster.Reading(cancellation);
        lock (gate)
        {
            var found = series.Where(s => query.Selectors.Count == 0 || query.Selectors.Any(m => Matcher.AllMatch(m, s))).Order();
            return [.. query.Limit > 0 ? found.Take(query.Limit) : found];
        }
    }

    public async ValueTask<IReadOnlyList<string>> LabelNamesAsync(LabelQuery query, CancellationToken cancellation) =>
        [.. (await SeriesAsync(query with { Limit = 0 }, cancellation)).SelectMany(s => s.Select(l => l.Key)).Distinct().Order(StringComparer.Ordinal)];

    public async ValueTask<IReadOnlyList<string>> LabelValuesAsync(string name, LabelQuery query, CancellationToken cancellation) =>
        [.. (await SeriesAsync(query with { Limit = 0 }, cancellation)).Select(s => s[name]).Where(v => v.Length > 0).Distinct().Order(StringComparer.Ordinal)];

    public ValueTask<FragmentResult> RunAsync(Fragment fragment, CancellationToken cancellation) =>
        cluster.QueryFailure is null && cluster.Answer is { } answer
            ? ValueTask.FromResult(answer())
            : throw (cluster.QueryFailure ?? new QueryException(QueryErrorKind.Internal, "the fake evaluates nothing"));

    public ValueTask<ShardHistory> HistoryAsync(CancellationToken cancellation) => ValueTask.FromResult(cluster.History);

    private uint RefOf(Labels labels)
    {
        if (!refs.TryGetValue(labels, out var known))
        {
            series.Add(labels);
            known = (uint)series.Count;
            refs.Add(labels, known);
        }

        return known;
    }
}

internal sealed class FakeMetadata : IMetricMetadata
{
    private readonly SortedDictionary<string, List<MetricMetadata>> families = new(StringComparer.Ordinal);

    public void Put(string family, MetricMetadata metadata)
    {
        lock (families)
        {
            if (!families.TryGetValue(family, out var entries))
            {
                families.Add(family, entries = []);
            }

            if (!entries.Contains(metadata))
            {
                entries.Add(metadata);
            }
        }
    }

    public IReadOnlyDictionary<string, IReadOnlyList<MetricMetadata>> Get(string? family, int limit, int limitPerFamily)
    {
        lock (families)
        {
            return families.Where(f => family is null || f.Key == family).Take(limit > 0 ? limit : int.MaxValue)
                .ToDictionary(f => f.Key, f => (IReadOnlyList<MetricMetadata>)[.. f.Value.Take(limitPerFamily > 0 ? limitPerFamily : int.MaxValue)]);
        }
    }
}
