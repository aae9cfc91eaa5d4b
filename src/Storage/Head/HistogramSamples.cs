using Metrics.Model;

namespace Metrics.Storage;

/// <summary>The native histograms of one series of a head: sealed chunks, an open one, and late samples. Thread-safe.</summary>
/// <remarks>
/// Apart from the floats' pages: histograms are few and large, so managed memory and a lock per series do, and float series pay nothing for them. A series may have both kinds; they are put together by
/// time when it is read.
/// </remarks>
internal sealed class HistogramSamples(HeadOptions options, ChunkSpill? spill)
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
    private int bytesInMemory;

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

    /// <summary>Bytes that the sealed chunks in memory will take in a file.</summary>
    public int BytesInMemory
    {
        get
        {
            lock (gate)
            {
                return bytesInMemory;
            }
        }
    }

    /// <summary>Copies the sealed chunks that are in memory into a batch; false when there is no room for all.</summary>
    public bool Collect(uint reference, SpillBatch batch)
    {
        lock (gate)
        {
            return chunks.Where(c => c.Link == 0).All(c => batch.Add(reference, c));
        }
    }

    /// <summary>Notes that a chunk is stored; false when it was dropped meanwhile.</summary>
    public bool Spilled(Chunk chunk, long link)
    {
        lock (gate)
        {
            if (!chunks.Contains(chunk))
            {
                return false;
            }

            chunk.Link = link;
            chunk.Bytes = [];
            bytesInMemory -= chunk.StoredBytes;
            return true;
        }
    }

    /// <summary>Another object with what this one holds; they share nothing that changes.</summary>
    public HistogramSamples Copy()
    {
        lock (gate)
        {
            var copy = new HistogramSamples(options, spill) { LastTimeMs = LastTimeMs, newest = newest, bytesInMemory = bytesInMemory };
            copy.chunks.AddRange(chunks.Select(c => c.Copy()));
            foreach (var (time, histogram) in late)
            {
                copy.late.Add(time, histogram);
            }

            foreach (var (time, histogram) in closing)
            {
                copy.closing.Add(time, histogram);
            }

            if (open is { Count: > 0 })
            {
                copy.Reopen(open.Encoding, open.ToBytes(), _ => openEndMs);
            }

            return copy;
        }
    }

    /// <summary>Writes all that is held: chunks into a frame, late samples into a record.</summary>
    public void Save(uint reference, SnapshotFrame to, WriteRecord lateTo)
    {
        lock (gate)
        {
            to.UVarint(reference);
            to.UVarint((ulong)chunks.Count);
            foreach (var chunk in chunks)
            {
                to.Byte((byte)chunk.Encoding);
                to.SVarint(chunk.MinMs);
                to.SVarint(chunk.MaxMs);
                to.Int64(chunk.Link);
                to.Text(chunk.Bytes);
            }

            var hasOpen = open is { Count: > 0 };
            to.Byte((byte)(hasOpen ? open!.Encoding : ChunkEncoding.None));
            to.Text(hasOpen ? open!.ToBytes() : []);
            foreach (var (time, histogram) in closing.Concat(late))
            {
                lateTo.AddSample(reference, time, histogram);
            }
        }
    }

    /// <summary>Reads the chunks that <see cref="Save"/> wrote, after the reference.</summary>
    /// <exception cref="InvalidDataException">They are damaged.</exception>
    public void Restore(ref SpanReader from, Head head)
    {
        lock (gate)
        {
            for (var left = from.Count(1 + 1 + 1 + sizeof(long) + 1); left > 0; left--)
            {
                var chunk = new Chunk((ChunkEncoding)from.Byte(), from.SVarint(), from.SVarint(), link: (long)from.UInt64(), bytes: from.Text().ToArray());
                if (chunk.Link != 0)
                {
                    head.Adopt(chunk.Link);
                }
                else
                {
                    bytesInMemory += chunk.StoredBytes;
                }

                chunks.Add(chunk);
                LastTimeMs = chunk.MaxMs;
            }

            var encoding = (ChunkEncoding)from.Byte();
            var bytes = from.Text();
            if (encoding != ChunkEncoding.None)
            {
                Reopen(encoding, bytes, head.BoundaryAfter);
            }
            else if (chunks.Count > 0)
            {
                newest = LastOf(chunks[^1]);
            }
        }
    }

    /// <summary>Goes on with an open chunk, as it was when its bytes were taken.</summary>
    /// <exception cref="InvalidDataException">The chunk is damaged.</exception>
    private void Reopen(ChunkEncoding encoding, ReadOnlySpan<byte> chunk, Func<long, long> boundaryAfter)
    {
        using var samples = new SampleBuffer();
        ChunkDecoding.Decode(encoding, chunk, TimeRange.All, samples);
        for (var i = 0; i < samples.Count; i++)
        {
            Append(samples.Times[i], samples.Histograms[i]!, boundaryAfter(samples.Times[0]));
        }
    }

    private FloatHistogram? LastOf(Chunk chunk)
    {
        using var samples = new SampleBuffer();
        ChunkDecoding.Decode(chunk.Encoding, chunk.Link == 0 ? chunk.Bytes : spill!.Read(chunk.Link).Data, new TimeRange(chunk.MaxMs, chunk.MaxMs), samples);
        return samples.Count > 0 ? samples.Histograms[0] : null;
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
            var instant = new TimeRange(timeMs, timeMs);
            ReadInOrder(ChunksIn(instant), open is { Count: > 0 } && timeMs >= openMinMs ? open : null, instant, samples);
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

    /// <summary>The samples in a range as they are now: what a cut drops before they are read, they still have.</summary>
    public View ViewOf(TimeRange range)
    {
        lock (gate)
        {
            var last = open is { Count: > 0 } && range.Overlaps(new(openMinMs, LastTimeMs)) ? open : null;
            return new View(this, [.. ChunksIn(range)], last, Math.Min(range.MaxMs, LastTimeMs), [.. InRange(closing, range)], [.. InRange(late, range)], range);
        }
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
    /// <param name="boundMs">The instant.</param>
    /// <param name="memoryBytes">Bytes of sealed chunks that were dropped from memory.</param>
    public int EndCut(long boundMs, out long memoryBytes)
    {
        lock (gate)
        {
            closing.Clear();
            memoryBytes = 0;
            foreach (var chunk in chunks.Where(c => c.MaxMs < boundMs))
            {
                if (chunk.Link != 0)
                {
                    spill!.FileOf(chunk.Link).LiveRecords--;
                }
                else
                {
                    memoryBytes += chunk.StoredBytes;
                }
            }

            bytesInMemory -= (int)memoryBytes;

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

    private static IEnumerable<KeyValuePair<long, FloatHistogram>> InRange(SortedList<long, FloatHistogram> from, TimeRange range) => from.Where(h => range.Contains(h.Key));

    private IEnumerable<Chunk> ChunksIn(TimeRange range) => chunks.Where(c => range.Overlaps(new(c.MinMs, c.MaxMs)));

    private void ReadInOrder(IEnumerable<Chunk> from, HistogramChunkEncoder? last, TimeRange range, SampleBuffer into)
    {
        foreach (var chunk in from)
        {
            ChunkDecoding.Decode(chunk.Encoding, chunk.Link == 0 ? chunk.Bytes : spill!.Read(chunk.Link).Data, range, into);
        }

        if (last is not null)
        {
            ChunkDecoding.Decode(last.Encoding, last.ToBytes(), range, into);
        }
    }

    private void Seal()
    {
        var chunk = new Chunk(open!.Encoding, openMinMs, LastTimeMs, open.ToBytes());
        chunks.Add(chunk);
        bytesInMemory += chunk.StoredBytes;
    }

    /// <summary>What a reader has in hand: the chunks there were, stored or not, the open one up to its newest sample then, and the late samples.</summary>
    internal sealed class View(
        HistogramSamples owner, Chunk[] chunks, HistogramChunkEncoder? open, long lastMs, KeyValuePair<long, FloatHistogram>[] closing, KeyValuePair<long, FloatHistogram>[] late, TimeRange range)
    {
        /// <summary>Appends the samples, by time.</summary>
        public void Read(SampleBuffer into)
        {
            using var inOrder = new SampleBuffer();
            lock (owner.gate)
            {
                owner.ReadInOrder(chunks, open, new TimeRange(range.MinMs, lastMs), inOrder);
            }

            using var apart = Buffer(closing);
            using var others = Buffer(late);
            using var allLate = new SampleBuffer();
            SampleBuffer.Merge(apart, others, allLate);
            SampleBuffer.Merge(inOrder, allLate, into);
        }

        private static SampleBuffer Buffer(KeyValuePair<long, FloatHistogram>[] from)
        {
            var buffer = new SampleBuffer();
            foreach (var (time, histogram) in from)
            {
                buffer.Add(time, histogram);
            }

            return buffer;
        }
    }

    /// <summary>A sealed chunk, in memory or stored.</summary>
    internal sealed class Chunk(ChunkEncoding encoding, long minMs, long maxMs, byte[] bytes, long link = 0)
    {
        public ChunkEncoding Encoding { get; } = encoding;

        public long MinMs { get; } = minMs;

        public long MaxMs { get; } = maxMs;

        /// <summary>The samples; empty when it is stored.</summary>
        public byte[] Bytes { get; set; } = bytes;

        /// <summary>Where it is stored; 0 while it is in memory.</summary>
        public long Link { get; set; } = link;

        public int RecordBytes { get; } = SealedChunk.HeaderBytes + bytes.Length;

        public int StoredBytes => SpillBatch.Padded(RecordBytes);

        public Chunk Copy() => new(Encoding, MinMs, MaxMs, Bytes, Link);
    }
}
