using Metrics.Model;

namespace Metrics.Storage;

/// <summary>The native histograms of one series of a head: sealed chunks, an open one, and late samples. Thread-safe.</summary>
/// <remarks>
/// Apart from the floats' pages: histograms are few and large, so managed memory and a lock per series do, and float series pay nothing for them. A series may have both kinds; they are put together by
/// time when it is read.
/// </remarks>
internal sealed class HistogramSamples(HeadOptions options)
{
    private readonly Lock gate = new();
    private readonly List<Chunk> chunks = [];
    private readonly SortedList<long, FloatHistogram> late = [];

    // What a cut has set apart.
    private readonly SortedList<long, FloatHistogram> closing = [];
    private HistogramChunkEncoder? open;
    private FloatHistogram? newest;
    private long openMinMs;
    private long openEndMs;

    /// <summary>The time of the newest sample in order, or long.MinValue.</summary>
    public long LastTimeMs { get; private set; } = long.MinValue;

    /// <summary>Chunks of samples in order.</summary>
    public int ChunkCount
    {
        get
        {
            lock (gate)
            {
                return chunks.Count + (open is { Count: > 0 } ? 1 : 0);
            }
        }
    }

    /// <summary>The time of the first sample in order, or long.MaxValue.</summary>
    public long MinTimeMs
    {
        get
        {
            lock (gate)
            {
                return chunks.Count > 0 ? chunks[0].MinMs : open is { Count: > 0 } ? openMinMs : long.MaxValue;
            }
        }
    }

    /// <summary>True when nothing is held.</summary>
    public bool IsEmpty => ChunkCount == 0 && !HasLate;

    /// <summary>True when late samples are held.</summary>
    public bool HasLate
    {
        get
        {
            lock (gate)
            {
                return late.Count + closing.Count > 0;
            }
        }
    }

    /// <summary>Appends a sample newer than all in order.</summary>
    public void Append(long timeMs, FloatHistogram histogram, long blockEndMs)
    {
        lock (gate)
        {
            var hint = histogram.CounterResetHint == CounterResetHint.NotReset ? CounterResetHint.Unknown : histogram.CounterResetHint;
            if (open is { Count: > 0 } && (open.Count >= options.ChunkSamples || timeMs >= openEndMs || !Takes(open, histogram) || !open.TryAppend(timeMs, histogram)))
            {
                hint = open.Count >= options.ChunkSamples || timeMs >= openEndMs || !Takes(open, histogram) ? hint : open.NextHint;
                Seal();
                open = null;
            }

            if (open is null || open.Count == 0)
            {
                open = new HistogramChunkEncoder(HistogramChunkEncoder.HasWholeCounts(histogram) ? ChunkEncoding.Histogram : ChunkEncoding.FloatHistogram);
                open.Begin(hint);
                open.TryAppend(timeMs, histogram);
                (openMinMs, openEndMs) = (timeMs, blockEndMs);
            }

            LastTimeMs = timeMs;
            newest = histogram;
        }
    }

    /// <summary>What is known of an instant not newer than the newest.</summary>
    public bool TryFind(long timeMs, out FloatHistogram? found)
    {
        lock (gate)
        {
            if (timeMs == LastTimeMs)
            {
                found = newest;
                return true;
            }

            if (late.TryGetValue(timeMs, out found) || closing.TryGetValue(timeMs, out found))
            {
                return true;
            }

            using var samples = new SampleBuffer();
            ReadInOrder(new TimeRange(timeMs, timeMs), samples);
            found = samples.Count > 0 ? samples.Histograms[0] : null;
            return samples.Count > 0;
        }
    }

    /// <summary>Takes a late sample that is not there yet.</summary>
    public void AddLate(long timeMs, FloatHistogram histogram)
    {
        lock (gate)
        {
            late.Add(timeMs, histogram);
        }
    }

    /// <summary>Appends the samples in a range, by time.</summary>
    public void Read(TimeRange range, SampleBuffer into)
    {
        using var lateOnes = new SampleBuffer();
        using var both = new SampleBuffer();
        using var inOrder = new SampleBuffer();
        lock (gate)
        {
            ReadInOrder(range, inOrder);
            Copy(closing, range, both);
            Copy(late, range, lateOnes);
        }

        using var allLate = new SampleBuffer();
        SampleBuffer.Merge(both, lateOnes, allLate);
        SampleBuffer.Merge(inOrder, allLate, into);
    }

    /// <summary>Sets the late samples before an instant apart, for a block, and adds the times they span to a list.</summary>
    public void BeginCut(long endMs, List<TimeRange> spans)
    {
        lock (gate)
        {
            while (late.Count > 0 && late.GetKeyAtIndex(0) < endMs)
            {
                closing.TryAdd(late.GetKeyAtIndex(0), late.GetValueAtIndex(0));
                late.RemoveAt(0);
            }

            if (closing.Count > 0)
            {
                spans.Add(new TimeRange(closing.GetKeyAtIndex(0), closing.GetKeyAtIndex(closing.Count - 1)));
            }
        }
    }

    /// <summary>Drops what a cut has set apart and the chunks wholly before an instant: they are in a block. Gives the number of chunks dropped.</summary>
    public int EndCut(long boundMs)
    {
        lock (gate)
        {
            closing.Clear();
            var dropped = chunks.RemoveAll(c => c.MaxMs < boundMs);
            if (open is { Count: > 0 } && LastTimeMs < boundMs)
            {
                open = null;
                dropped++;
            }

            return dropped;
        }
    }

    private static bool Takes(HistogramChunkEncoder encoder, FloatHistogram histogram) =>
        StaleMarker.Is(histogram.Sum) || encoder.Encoding == ChunkEncoding.Histogram == HistogramChunkEncoder.HasWholeCounts(histogram);

    private static void Copy(SortedList<long, FloatHistogram> from, TimeRange range, SampleBuffer into)
    {
        foreach (var (time, histogram) in from)
        {
            if (range.Contains(time))
            {
                into.Add(time, histogram);
            }
        }
    }

    private void ReadInOrder(TimeRange range, SampleBuffer into)
    {
        foreach (var chunk in chunks)
        {
            if (range.Overlaps(new(chunk.MinMs, chunk.MaxMs)))
            {
                ChunkDecoding.Decode(chunk.Encoding, chunk.Bytes, range, into);
            }
        }

        if (open is { Count: > 0 } && range.Overlaps(new(openMinMs, LastTimeMs)))
        {
            ChunkDecoding.Decode(open.Encoding, open.ToBytes(), range, into);
        }
    }

    private void Seal() => chunks.Add(new Chunk(open!.Encoding, open.ToBytes(), openMinMs, LastTimeMs));

    private readonly record struct Chunk(ChunkEncoding Encoding, byte[] Bytes, long MinMs, long MaxMs);
}
