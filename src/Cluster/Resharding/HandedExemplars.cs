using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>A series' exemplar, on its way from a shard that is split or merged to the one that will own the series.</summary>
/// <param name="Series">The series.</param>
/// <param name="Exemplar">The exemplar; its reference means nothing.</param>
internal readonly record struct HandedExemplar(Labels Series, Exemplar Exemplar);

/// <summary>Hands exemplars, which no block has, from parents to children: an object for each parent and child, as a record of the log has them (FORMAT.md), written while the parent is being sealed, taken into the child's
/// log when that opens, and removed.</summary>
/// <remarks>They are examples: what fails here fails no change. Whatever lies in a child's folder under another change is of one that was given up, and goes.</remarks>
internal static class HandedExemplars
{
    /// <summary>As many go along, the newest: what a tenant has unless it is configured otherwise.</summary>
    private const int Most = 100_000;

    private const int MaxObjectBytes = 256 * 1024 * 1024;

    /// <summary>Writes a parent's exemplars down for its children.</summary>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    public static async Task LeaveAsync(IObjectStore store, ShardId parent, SealRequest request, IReadOnlyList<HandedExemplar> exemplars, CancellationToken cancellation)
    {
        foreach (var child in request.MustBeNarrow ? [parent.Range.Parent] : Halves(parent.Range))
        {
            if (Encode(exemplars, child) is { } bytes)
            {
                await store.PutAsync(BucketKeys.Exemplars(new ShardId(parent.Tenant, child), request.Announced, parent.Range), bytes, PutCondition.None, cancellation);
            }
        }
    }

    /// <summary>Gives a child's exemplars to who keeps them, and removes what lies there.</summary>
    /// <param name="store">The object storage.</param>
    /// <param name="child">The child.</param>
    /// <param name="madeBy">The change that made it.</param>
    /// <param name="keep">Keeps them, for good.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="ObjectStoreException">The store failed; it may be done again.</exception>
    /// <exception cref="InvalidDataException">An object's bytes are not those that were written.</exception>
    public static async Task TakeAsync(IObjectStore store, ShardId child, long madeBy, Func<IReadOnlyList<HandedExemplar>, ValueTask> keep, CancellationToken cancellation)
    {
        var keys = new List<string>();
        await foreach (var found in store.ListAsync(BucketKeys.Exemplars(child), cancellation))
        {
            keys.Add(found.Key);
        }

        foreach (var key in keys)
        {
            if (key.StartsWith(BucketKeys.Exemplars(child, madeBy), StringComparison.Ordinal) && await store.GetAsync(key, MaxObjectBytes, cancellation) is { } stored)
            {
                await keep(Decode(stored.Content));
            }

            await store.DeleteAsync(key, cancellation);
        }
    }

    /// <summary>Removes what a parent has left for children that it will not have after all.</summary>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    public static async Task ForgetAsync(IObjectStore store, ShardId parent, long announced, CancellationToken cancellation)
    {
        foreach (var child in (HashRange[])[parent.Range.Parent, .. Halves(parent.Range)])
        {
            await store.DeleteAsync(BucketKeys.Exemplars(new ShardId(parent.Tenant, child), announced, parent.Range), cancellation);
        }
    }

    private static HashRange[] Halves(HashRange range)
    {
        var (low, high) = range.Split();
        return [low, high];
    }

    /// <summary>The newest exemplars of a range as one frame; null when there are none.</summary>
    private static byte[]? Encode(IReadOnlyList<HandedExemplar> exemplars, HashRange range)
    {
        var own = exemplars.Where(e => range.Contains(SeriesHash.Of(e.Series.Encoded))).TakeLast(Most).ToList();
        if (own.Count == 0)
        {
            return null;
        }

        var record = new WriteRecord();
        var references = new Dictionary<Labels, uint>();
        foreach (var (series, exemplar) in own)
        {
            if (!references.TryGetValue(series, out var reference))
            {
                references.Add(series, reference = (uint)references.Count);
                record.AddSeries(reference, series.Encoded);
            }

            record.AddExemplar(exemplar with { Series = reference });
        }

        var payload = record.Encode();
        var frame = new byte[LogFrames.HeaderBytes + payload.Length];
        LogFrames.Write(frame, 0, payload);
        return frame;
    }

    private static List<HandedExemplar> Decode(ReadOnlySpan<byte> frame)
    {
        var reader = new Reader();
        LogFrames.Check(frame, 0);
        while (LogFrames.TryNext(ref frame, out var payload))
        {
            WriteRecordReader.Read(payload, reader);
        }

        return reader.Found;
    }

    private sealed class Reader : IWriteRecordVisitor
    {
        private readonly Dictionary<uint, Labels> series = [];

        public List<HandedExemplar> Found { get; } = [];

        public void Series(uint reference, ReadOnlySpan<byte> canonicalLabels) => series[reference] = Labels.FromEncoded(canonicalLabels);

        public void Sample(uint reference, long timeMs, double value)
        {
        }

        public void Sample(uint reference, long timeMs, FloatHistogram histogram)
        {
        }

        public void Exemplar(in Exemplar exemplar)
        {
            if (series.TryGetValue(exemplar.Series, out var labels))
            {
                Found.Add(new HandedExemplar(labels, exemplar));
            }
        }
    }
}
