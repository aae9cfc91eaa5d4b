using Metrics.Model;

namespace Metrics.Storage;

/// <summary>The samples of one series of a block after another, without NaN, stale markers among them, and what was deleted: what there is to reduce, as Thanos does. Reused; not thread-safe.</summary>
internal sealed class SeriesSamples : IDisposable
{
    private readonly List<TimeRange> deleted = [];
    private SampleBuffer all = new();
    private SampleBuffer next = new();
    private SampleBuffer spare = new();

    /// <summary>The samples of the series that a cursor stands on; valid until the next call.</summary>
    public SampleBuffer Read(BlockCursor cursor)
    {
        deleted.Clear();
        cursor.AddDeleted(deleted);
        all.Clear();
        foreach (var chunk in cursor.Entry.Chunks)
        {
            next.Clear();
            cursor.Input.Block.Decode(chunk, new TimeRange(chunk.MinMs, chunk.MaxMs), next);
            spare.Clear();
            SampleBuffer.Merge(all, next, spare);
            (all, spare) = (spare, all);
        }

        spare.Clear();
        for (var i = 0; i < all.Count; i++)
        {
            var time = all.Times[i];
            var value = all.HasHistograms && all.Histograms[i] is { } histogram ? histogram.Sum : all.Values[i];
            if (!double.IsNaN(value) && !deleted.Exists(d => d.Contains(time)))
            {
                spare.AddFrom(all, i);
            }
        }

        return spare;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        all.Dispose();
        next.Dispose();
        spare.Dispose();
    }
}
