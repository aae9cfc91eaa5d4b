using Metrics.Model;

namespace Metrics.Storage;

/// <summary>What a selection found in a block: labels and chunk places in memory, samples decoded on demand.</summary>
internal sealed class BlockSeriesSet(BlockReader block, TimeRange range, Aggregate aggregate, HashRange within, CancellationToken reading) : ISeriesSet
{
    private readonly PooledPages labels = new();
    private readonly PooledList<Series> series = new();
    private readonly PooledList<ChunkMeta> chunks = new();
    private int disposed;

    /// <inheritdoc/>
    public int Count => series.Count;

    /// <summary>Reads the matching series; one without a chunk in the range is left out.</summary>
    public void Load(IReadOnlyList<Matcher> matchers, CancellationToken cancellation)
    {
        using var found = new MatchingSeries(block, matchers, within, cancellation);
        while (found.MoveNext())
        {
            var start = chunks.Count;
            var plain = block.Tombstones.Of(found.Reference).IsEmpty;
            var last = long.MinValue;
            foreach (var chunk in found.Entry.Chunks)
            {
                if (!block.HasIn(range, found.Reference, chunk))
                {
                    continue;
                }

                plain &= chunks.Count == start || chunk.MinMs > last;
                last = Math.Max(last, chunk.MaxMs);
                chunks.Add(chunk);
            }

            if (chunks.Count > start)
            {
                series.Add(new Series(labels.Add(found.Entry.CanonicalLabels), SeriesHash.Of(found.Entry.CanonicalLabels), found.Reference, start, chunks.Count - start, plain));
            }
        }

        block.PrefetchChunks(chunks.Items, cancellation);
    }

    /// <inheritdoc/>
    public Labels LabelsOf(int index) => Labels.FromEncoded(labels[series[index].Labels]);

    /// <inheritdoc/>
    public ulong HashOf(int index) => series[index].Hash;

    /// <inheritdoc/>
    public ReadOnlySpan<byte> LabelBytesOf(int index, ref byte[] scratch) => labels[series[index].Labels];

    /// <inheritdoc/>
    public void Read(int index, SampleBuffer into)
    {
        ObjectDisposedException.ThrowIf(disposed != 0, this);
        using var waiting = ReadCancellation.Begin(reading);
        var one = series[index];
        var own = chunks.Items.Slice(one.FirstChunk, one.ChunkCount);
        if (block.Meta.Thanos is { Downsample.Resolution: > 0 })
        {
            AggregateReading.Read(block, own, aggregate, range, into);
            return;
        }

        if (one.Plain)
        {
            foreach (var chunk in own)
            {
                block.Decode(chunk, range, into);
            }
        }
        else
        {
            ReadMerged(own, block.Tombstones.Of(one.Reference), into);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            labels.Dispose();
            series.Dispose();
            chunks.Dispose();
            block.Release();
        }
    }

    private void ReadMerged(ReadOnlySpan<ChunkMeta> own, ReadOnlySpan<TimeRange> deleted, SampleBuffer into)
    {
        var merged = new SampleBuffer();
        var next = new SampleBuffer();
        var both = new SampleBuffer();
        try
        {
            foreach (var chunk in own)
            {
                next.Clear();
                block.Decode(chunk, range, next);
                both.Clear();

                // Of two samples at one instant the one of the chunk that stands first in the index stays.
                SampleBuffer.Merge(merged, next, both);
                (merged, both) = (both, merged);
            }

            into.NoteEncoded(merged.EncodedBytes, merged.EncodedChunks);
            var at = 0;
            for (var i = 0; i < merged.Count; i++)
            {
                var time = merged.Times[i];
                while (at < deleted.Length && deleted[at].MaxMs < time)
                {
                    at++;
                }

                if (at == deleted.Length || !deleted[at].Contains(time))
                {
                    into.AddFrom(merged, i);
                }
            }
        }
        finally
        {
            merged.Dispose();
            next.Dispose();
            both.Dispose();
        }
    }

    private readonly record struct Series(PooledPages.Place Labels, ulong Hash, uint Reference, int FirstChunk, int ChunkCount, bool Plain);
}
