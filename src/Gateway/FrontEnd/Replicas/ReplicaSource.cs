using Metrics.Cluster;
using Metrics.Gateway.QueryApi;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Gateway.FrontEnd;

/// <summary>A tenant's series without the labels that tell replicas apart, those of all replicas of one being one series (<see cref="ReplicaChain"/>).</summary>
/// <remarks>Replicas lie in different shards, so what is selected comes here as samples; <paramref name="maxSamples"/> bounds it, <paramref name="bounds"/> hold for what is read, each replica's series by itself, and it is counted as memory of queries. Shards that can't answer are left out when there is <paramref name="missing"/> to note it. For one evaluation.</remarks>
internal sealed class ReplicaSource(IReadOnlyList<IShard> shards, IReadOnlyList<string> replicaLabels, long maxSamples, QueryBounds bounds, QueryMemory memory, PartialWarnings? missing) : ISeriesSource
{
    private readonly ReadCount count = new(bounds);

    /// <inheritdoc/>
    public async ValueTask<ISeriesSet> SelectAsync(SeriesSelection selection, CancellationToken cancellation)
    {
        var found = new Dictionary<Labels, List<Replica>>();
        var held = 0L;
        var (fromMs, toMs) = (selection.Range.MinMs, selection.Range.MaxMs);

        // What is in the chain at its start depends on what was sent before.
        var read = new TimeRange(fromMs < long.MinValue + ReplicaChain.ReachMs ? long.MinValue : fromMs - ReplicaChain.ReachMs, toMs);
        var lease = memory.Open(bounds);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            // Those of other processes side by side.
            await Task.WhenAll(shards.Select(CollectAsync));
            return new ChainedSet(found, fromMs, lease, cancellation);
        }
        catch (ShardUnavailableException e)
        {
            Dispose(found);
            lease.Dispose();
            throw new QueryException(QueryErrorKind.Unavailable, e.Message, e);
        }
        catch
        {
            Dispose(found);
            lease.Dispose();
            throw;
        }

        async Task CollectAsync(IShard shard)
        {
            try
            {
                await foreach (var series in shard.ReadAsync(selection.Matchers, read, stop.Token))
                {
                    lock (count)
                    {
                        Collect(series);
                    }
                }
            }
            catch (ShardUnavailableException e) when (missing is not null && !e.IsMoved)
            {
                missing.Add(e.Message);
            }
            catch
            {
                // What the others have to say is of no use any more.
                await stop.CancelAsync();
                throw;
            }
        }

        void Collect(RawSeries series)
        {
            var (labels, samples) = series;
            count.Add(series);
            held += samples.Count - ReplicaChain.FirstFrom(samples, fromMs);
            if (held > maxSamples)
            {
                throw bounds.TooManySamples(maxSamples);
            }

            lease.Take(MemoryLease.SeriesBytes + ((long)samples.Count * MemoryLease.SampleBytes));
            var name = Without(labels, replicaLabels);
            if (!found.TryGetValue(name, out var replicas))
            {
                found.Add(name, replicas = []);
            }

            // The buffer is the shard's and used again.
            var copy = new SampleBuffer(samples.Count);
            copy.NoteEncoded(samples.EncodedBytes, samples.EncodedChunks);
            copy.AddAllFrom(samples);
            replicas.Add(new Replica(labels, copy));
        }
    }

    /// <summary>Tells what was read of shards: each replica's series by itself, as the bounds count it.</summary>
    public void CopyTo(QueryStatistics statistics)
    {
        lock (count)
        {
            statistics.FetchedSeries = count.Series;
            statistics.FetchedBytes = count.Bytes;
            statistics.FetchedChunks = count.Chunks;
        }
    }

    /// <summary>Labels without those that tell replicas apart.</summary>
    public static Labels Without(Labels labels, IReadOnlyList<string> replicaLabels)
    {
        LabelsBuilder? without = null;
        foreach (var name in replicaLabels)
        {
            if (labels[name].Length > 0)
            {
                without ??= new LabelsBuilder().Reset(labels);
                without.Remove(name);
            }
        }

        return without?.ToLabels() ?? labels;
    }

    private static void Dispose(Dictionary<Labels, List<Replica>> found)
    {
        foreach (var replica in found.Values.SelectMany(static r => r))
        {
            replica.Samples.Dispose();
        }
    }

    private readonly record struct Replica(Labels Labels, SampleBuffer Samples);

    private sealed class ChainedSet : ISeriesSet
    {
        private readonly Dictionary<Labels, List<Replica>> found;
        private readonly long fromMs;
        private readonly MemoryLease lease;
        private readonly CancellationToken cancellation;
        private readonly Labels[] labels;
        private readonly SampleBuffer[][] replicas;

        public ChainedSet(Dictionary<Labels, List<Replica>> found, long fromMs, MemoryLease lease, CancellationToken cancellation)
        {
            this.found = found;
            this.fromMs = fromMs;
            this.lease = lease;
            this.cancellation = cancellation;

            // Those that ended before are not of the selection.
            labels = [.. found.Where(f => f.Value.Exists(r => r.Samples.Count > 0 && r.Samples.Times[^1] >= fromMs)).Select(static f => f.Key)];
            replicas = new SampleBuffer[labels.Length][];
            for (var i = 0; i < replicas.Length; i++)
            {
                var list = found[labels[i]];
                list.Sort(static (a, b) => a.Labels.CompareTo(b.Labels));
                replicas[i] = [.. list.Select(static r => r.Samples)];
            }
        }

        public int Count => labels.Length;

        public Labels LabelsOf(int index) => labels[index];

        public void Read(int index, SampleBuffer into) => ReplicaChain.Merge(replicas[index], fromMs, into, cancellation);

        public void Dispose()
        {
            ReplicaSource.Dispose(found);
            lease.Dispose();
        }
    }
}
