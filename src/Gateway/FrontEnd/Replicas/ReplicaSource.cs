using Metrics.Cluster;
using Metrics.Gateway.QueryApi;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Gateway.FrontEnd;

/// <summary>A tenant's series without the labels that tell replicas apart, those of all replicas of one being one series (<see cref="ReplicaChain"/>).</summary>
/// <remarks>Replicas lie in different shards, so what is selected comes here as samples; <paramref name="maxSamples"/> bounds it, <paramref name="bounds"/> hold for what is read, each replica's series by itself, and it is counted as memory of queries. Shards that can't answer are left out when there is <paramref name="missing"/> to note it.</remarks>
internal sealed class ReplicaSource(IReadOnlyList<IShard> shards, IReadOnlyList<string> replicaLabels, long maxSamples, QueryBounds bounds, QueryMemory memory, PartialWarnings? missing) : ISeriesSource
{
    private readonly ReadCount count = new(bounds);

    /// <inheritdoc/>
    public async ValueTask<ISeriesSet> SelectAsync(SeriesSelection selection, CancellationToken cancellation)
    {
        var found = new Dictionary<Labels, List<SampleBuffer>>();
        var held = 0L;
        var lease = memory.Open(bounds);
        try
        {
            // One shard after another: what they have to give is collected in one place.
            foreach (var shard in shards)
            {
                try
                {
                    await CollectAsync(shard);
                }
                catch (ShardUnavailableException e) when (missing is not null && !e.IsMoved)
                {
                    missing.Add(e.Message);
                }
            }

            return new ChainedSet(found, lease);
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
            await foreach (var series in shard.ReadAsync(selection.Matchers, selection.Range, cancellation))
            {
                var (labels, samples) = series;
                lock (count)
                {
                    count.Add(series);
                }

                held += samples.Count;
                if (held > maxSamples)
                {
                    throw new QueryException(QueryErrorKind.Execution, "query processing would load too many samples into memory in query execution");
                }

                lease.Take(MemoryLease.SeriesBytes + ((long)samples.Count * MemoryLease.SampleBytes));
                Collect(labels, samples, found);
            }
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

    private void Collect(Labels labels, SampleBuffer samples, Dictionary<Labels, List<SampleBuffer>> into)
    {
        var name = Without(labels, replicaLabels);
        if (!into.TryGetValue(name, out var replicas))
        {
            into.Add(name, replicas = []);
        }

        // The buffer is the shard's and used again.
        var copy = new SampleBuffer(samples.Count);
        for (var i = 0; i < samples.Count; i++)
        {
            copy.AddFrom(samples, i);
        }

        replicas.Add(copy);
    }

    private static void Dispose(Dictionary<Labels, List<SampleBuffer>> found)
    {
        foreach (var buffer in found.Values.SelectMany(static r => r))
        {
            buffer.Dispose();
        }
    }

    private sealed class ChainedSet(Dictionary<Labels, List<SampleBuffer>> found, MemoryLease lease) : ISeriesSet
    {
        private readonly Labels[] labels = [.. found.Keys];

        public int Count => labels.Length;

        public Labels LabelsOf(int index) => labels[index];

        public void Read(int index, SampleBuffer into) => ReplicaChain.Merge(found[labels[index]], into);

        public void Dispose()
        {
            ReplicaSource.Dispose(found);
            lease.Dispose();
        }
    }
}
