using System.Runtime.CompilerServices;
using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Gateway.RemoteRead;

/// <summary>The raw series of a tenant, its shards' streams merged by labels: a shard's are in order, and no series is in two.</summary>
internal static class TenantSeries
{
    /// <summary>Reads matching series, ascending by labels; each lasts until the next. When a shard is split or merged meanwhile, it goes on behind the last series with those that have taken its place.</summary>
    /// <exception cref="ShardUnavailableException">A shard can't be read.</exception>
    public static async IAsyncEnumerable<RawSeries> ReadAsync(ITenant tenant, IReadOnlyList<Matcher> matchers, TimeRange range, [EnumeratorCancellation] CancellationToken cancellation)
    {
        Labels? last = null;
        for (var attempt = 1; ; attempt++)
        {
            var shards = tenant.Shards;
            await using var merged = MergedAsync(shards, matchers, range, cancellation).GetAsyncEnumerator(cancellation);
            while (true)
            {
                try
                {
                    if (!await merged.MoveNextAsync())
                    {
                        yield break;
                    }
                }
                catch (ShardUnavailableException e) when (e.IsMoved && attempt < TenantAsking.TriesMax)
                {
                    break;
                }

                if (attempt == 1 || last is null || merged.Current.Labels.CompareTo(last) > 0)
                {
                    last = merged.Current.Labels;
                    yield return merged.Current;
                }
            }

            await tenant.RefreshAsync(shards, cancellation);
        }
    }

    private static async IAsyncEnumerable<RawSeries> MergedAsync(IReadOnlyList<IShard> shards, IReadOnlyList<Matcher> matchers, TimeRange range, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var streams = new List<IAsyncEnumerator<RawSeries>>();
        try
        {
            var waiting = new PriorityQueue<IAsyncEnumerator<RawSeries>, Labels>();
            foreach (var shard in shards)
            {
                streams.Add(shard.ReadAsync(matchers, range, cancellation).GetAsyncEnumerator(cancellation));
                if (await streams[^1].MoveNextAsync())
                {
                    waiting.Enqueue(streams[^1], streams[^1].Current.Labels);
                }
            }

            while (waiting.TryDequeue(out var first, out _))
            {
                yield return first.Current;
                if (await first.MoveNextAsync())
                {
                    waiting.Enqueue(first, first.Current.Labels);
                }
            }
        }
        finally
        {
            foreach (var stream in streams)
            {
                await stream.DisposeAsync();
            }
        }
    }
}
