using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>The recent samples of one shard, in memory: series, their open and sealed chunks, and an index over their labels.</summary>
/// <remarks>
/// One writer at a time (the shard sees to that); any number of readers at any time, through <see cref="OpenView"/>, which neither wait for the writer nor make it wait.
/// A reader sees a sample whole or not at all; samples of one batch may become visible one after the other.
/// Series are structs in pages, chunks and postings lie outside the garbage collector's memory, label texts are stored once. Series references ascend and are never
/// reused. A series whose samples were all dropped stays known until <see cref="Rebuilt"/>.
/// </remarks>
public sealed unsafe partial class Head : IDisposable
{
    internal const int PageBits = 6;
    private const int PageMask = (1 << PageBits) - 1;
    private const int UsualLabelBytes = 1024;
    private readonly NativeArena arena = new();
    private readonly OpenBlocks open = new();
    private readonly LabelShapes shapes = new();
    private readonly ViewEpochs epochs;
    private readonly ConcurrentDictionary<uint, OutOfOrderSamples> outOfOrder = new();
    private readonly ConcurrentDictionary<uint, HistogramSamples> histograms = new();
    private HeadSeries[]?[] pages = new HeadSeries[]?[16];
    private uint[] table = new uint[64];
    private uint[] names = new uint[64]; // Labels of a series being made.
    private uint[] values = new uint[64];
    private uint nextReference;
    private int seriesCount;
    private long chunkCount;
    private long minTimeMs = long.MaxValue;
    private long maxTimeMs = long.MinValue;
    private long minValidMs = long.MinValue;

    /// <summary>An empty head.</summary>
    /// <param name="options">How it seals and what it takes.</param>
    /// <param name="spill">Where sealed chunks go; without it they stay in memory.</param>
    public Head(HeadOptions options, ChunkSpill? spill = null)
    {
        Options = options;
        this.spill = spill;
        epochs = new ViewEpochs(arena, open);
        Symbols = new SymbolTable();
        Postings = new HeadPostings(arena, epochs, Symbols);
    }

    /// <summary>How this head seals and what it takes.</summary>
    public HeadOptions Options { get; }

    /// <summary>Series known, whether they hold samples or not.</summary>
    public int SeriesCount => Volatile.Read(ref seriesCount);

    /// <summary>Chunks held, open ones included.</summary>
    public long ChunkCount => Volatile.Read(ref chunkCount);

    /// <summary>True when out-of-order samples are held.</summary>
    public bool HasLateSamples => !outOfOrder.IsEmpty || histograms.Values.Any(h => h.HasLate);

    /// <summary>The oldest sample held, or long.MaxValue when there is none. May be too low after samples were dropped, never too high.</summary>
    public long MinTimeMs => Volatile.Read(ref minTimeMs);

    /// <summary>The newest sample ever taken, or long.MinValue.</summary>
    public long MaxTimeMs => Volatile.Read(ref maxTimeMs);

    /// <summary>The end of the last cut: what came before it in order is in blocks. Older samples are taken as late ones, within the out-of-order window.</summary>
    public long MinValidMs => Volatile.Read(ref minValidMs);

    /// <summary>The memory of series, labels, index and chunks, in bytes; chunks on disk not counted.</summary>
    public long MemoryBytes => arena.Bytes + open.Bytes + Symbols.Bytes + ((long)pages.Length * sizeof(long)) + ((((long)nextReference >> PageBits) + 1) * (Unsafe.SizeOf<HeadSeries>() << PageBits)) + (table.LongLength * sizeof(uint));

    /// <summary>Series without a sample, as of the last truncation.</summary>
    public int IdleSeriesCount { get; private set; }

    internal SymbolTable Symbols { get; }

    internal HeadPostings Postings { get; }

    /// <summary>True when a reference names a series of this head.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsKnown(uint reference)
    {
        var page = reference >> PageBits;
        return page < (uint)pages.Length && pages[page] is { } series && series[reference & PageMask].Labels != 0;
    }

    /// <summary>Asks the processor for a series that <see cref="IsKnown"/> or <see cref="Append(uint, long, double)"/> will be asked about soon: the series of a batch lie all over memory, and fetched one after the other they are most of what an append takes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(uint reference)
    {
        var page = reference >> PageBits;
        if (Sse.IsSupported && page < (uint)pages.Length && pages[page] is { } series)
        {
            // Over two cache lines, as the array happens to lie.
            ref var first = ref Unsafe.As<HeadSeries, byte>(ref series[reference & PageMask]);
            Sse.Prefetch0(Unsafe.AsPointer(ref first));
            Sse.Prefetch0(Unsafe.AsPointer(ref Unsafe.Add(ref first, Unsafe.SizeOf<HeadSeries>() - 1)));
        }
    }

    /// <summary>The same for where the next sample of a known series goes; reads the series. Writer only.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PrefetchOpen(uint reference)
    {
        if (Sse.IsSupported && At(reference) is { Open: not 0, OpenLast: var last })
        {
            Sse.Prefetch0(Unsafe.AsPointer(ref MemoryMarshal.GetReference(open.Data(last))));
        }
    }

    /// <summary>Finds a series by its canonical label bytes. Writer only.</summary>
    public bool TryFind(ReadOnlySpan<byte> canonicalLabels, ulong hash, out uint reference)
    {
        for (var at = hash; ; at++)
        {
            var slot = table[at & (ulong)(table.Length - 1)];
            if (slot == 0)
            {
                reference = 0;
                return false;
            }

            ref var series = ref At(slot - 1);
            if (series.Hash == hash && HasLabels(ref series, canonicalLabels))
            {
                reference = slot - 1;
                return true;
            }
        }
    }

    /// <summary>How many series carry each value of a label. Writer only.</summary>
    public IReadOnlyDictionary<string, int> CountBy(ReadOnlySpan<byte> name)
    {
        var counts = new ValueCounts(Postings);
        Postings.VisitValues(name, counts);
        return counts.Found;
    }

    /// <summary>Finds a series or makes it. Writer only.</summary>
    public uint GetOrCreate(ReadOnlySpan<byte> canonicalLabels, ulong hash, out bool created)
    {
        created = !TryFind(canonicalLabels, hash, out var reference);
        return created ? Create(canonicalLabels, hash) : reference;
    }

    /// <summary>Makes a series that the head does not have. Writer only.</summary>
    public uint Create(ReadOnlySpan<byte> canonicalLabels, ulong hash)
    {
        var reference = nextReference;
        Create(reference, canonicalLabels, hash);
        return reference;
    }

    /// <summary>
    /// Makes a series under the reference that an earlier life of the shard gave it, for replay. Labels that are known under another reference, because the series ended, was
    /// forgotten and came back, keep that one. Gives the reference in use. Writer only.
    /// </summary>
    /// <exception cref="InvalidDataException">The reference names another series.</exception>
    public uint Restore(uint reference, ReadOnlySpan<byte> canonicalLabels)
    {
        nextReference = Math.Max(nextReference, reference + 1);
        if (IsKnown(reference))
        {
            return HasLabels(ref At(reference), canonicalLabels)
                ? reference
                : throw new InvalidDataException($"series reference {reference} is used for {Labels.FromEncoded(canonicalLabels)} and for {LabelsOf(reference)}");
        }

        var hash = SeriesHash.Of(canonicalLabels);
        if (TryFind(canonicalLabels, hash, out var other))
        {
            return other;
        }

        Create(reference, canonicalLabels, hash);
        return reference;
    }

    /// <summary>Sets the bound before which samples count as late. Writer only.</summary>
    public void SetMinValid(long boundMs) => Volatile.Write(ref minValidMs, Math.Max(minValidMs, boundMs));

    /// <summary>
    /// Draws the line of a cut: in-order samples before it are closed from now on, and the late ones before it that are here now are set apart, so that those which come while the block is
    /// written are kept when <see cref="TruncateSlice"/> drops what the block holds. Gives the times that late samples set apart lie at, for blocks of their own. Writer only.
    /// </summary>
    public IReadOnlyList<TimeRange> BeginCut(long endMs)
    {
        SetMinValid(endMs);
        var late = new List<TimeRange>();
        foreach (var samples in outOfOrder.Values)
        {
            samples.BeginCut(endMs, late);
        }

        foreach (var samples in histograms.Values)
        {
            samples.BeginCut(endMs, late);
        }

        return late;
    }

    /// <summary>Appends a sample to a known series. Writer only.</summary>
    public AppendOutcome Append(uint reference, long timeMs, double value)
    {
        ref var series = ref At(reference);
        if (series.HasNewest && timeMs <= series.Appender.LastTimeMs)
        {
            return AppendOld(reference, ref series, timeMs, value);
        }

        if (timeMs < minValidMs)
        {
            return AppendLate(reference, ref series, timeMs, value);
        }

        if (series.OpenCount == 0)
        {
            BeginChunk(ref series, timeMs, value, FirstChunkSamples(reference));
        }
        else if (series.OpenCount >= series.OpenLimit)
        {
            Seal(reference, ref series);
            BeginChunk(ref series, timeMs, value, Options.ChunkSamples);
        }
        else if (IsInAnotherRange(series.OpenMinMs, timeMs))
        {
            Seal(reference, ref series);
            BeginChunk(ref series, timeMs, value, FirstChunkSamples(reference));
        }
        else
        {
            if (series.Appender.Length + XorAppender.SlackBytes <= OpenBlocks.DataBytes)
            {
                series.Appender.Append(open.Data(series.OpenLast), series.OpenCount, timeMs, value);
            }
            else
            {
                AppendAcross(ref series, timeMs, value);
            }

            Volatile.Write(ref series.OpenCount, (ushort)(series.OpenCount + 1));
        }

        Covers(timeMs);
        return AppendOutcome.Added;
    }

    /// <summary>The labels of a series.</summary>
    public Labels LabelsOf(uint reference)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(UsualLabelBytes);
        var rented = bytes;
        var labels = Labels.FromEncoded(LabelBytesOf(reference, ref bytes));
        ArrayPool<byte>.Shared.Return(rented);
        return labels;
    }

    /// <summary>The canonical bytes of a series' labels, written to <paramref name="scratch"/>, which is replaced by a larger one when too small.</summary>
    internal ReadOnlySpan<byte> LabelBytesOf(uint reference, ref byte[] scratch) => SymbolText.Write(Symbols, SymbolsOf(reference), ref scratch);

    /// <summary>Opens a consistent view for reading; null when the head is being closed.</summary>
    public HeadView? OpenView() => epochs.TryOpen(out var opened) ? new HeadView(this, opened) : null;

    /// <summary>Takes no more views and frees the memory when the last open one is closed.</summary>
    public void Dispose()
    {
        if (epochs.BeginClose())
        {
            Free();
        }
    }

    internal void Close(long opened)
    {
        if (epochs.Close(opened))
        {
            Free();
        }
    }

    internal ref HeadSeries At(uint reference) => ref Volatile.Read(ref pages)[reference >> PageBits]![reference & PageMask];

    internal OutOfOrderSamples? OutOfOrderOf(uint reference) => outOfOrder.GetValueOrDefault(reference);

    internal HistogramSamples? HistogramsOf(uint reference) => histograms.GetValueOrDefault(reference);

    internal SeriesSymbols SymbolsOf(uint reference) => SymbolsOf(ref At(reference));

    /// <summary>The same, and the number of the list of its names.</summary>
    internal SeriesSymbols SymbolsOf(uint reference, out uint shape) => SymbolsOf(ref At(reference), out shape);

    /// <summary>Appends the samples of an open chunk in a range; to be called inside the view that the snapshot is of.</summary>
    internal void DecodeOpen(in SeriesSnapshot series, TimeRange range, SampleBuffer into)
    {
        using var bytes = new OpenChunkBytes(open, series.Open, series.OpenCount);
        XorChunk.Decode(bytes.Span, series.OpenCount, range, into);
    }

    /// <summary>Takes a series as it is at one moment; to be called inside a view, which keeps the memory.</summary>
    internal SeriesSnapshot Snapshot(uint reference)
    {
        ref var series = ref At(reference);
        var wait = default(SpinWait);
        while (true)
        {
            var version = Volatile.Read(ref series.Version);
            if ((version & 1) == 0)
            {
                var snapshot = new SeriesSnapshot(reference, series);
                Interlocked.MemoryBarrier();
                if (Volatile.Read(ref series.Version) == version)
                {
                    return snapshot;
                }
            }

            wait.SpinOnce(sleep1Threshold: -1);
        }
    }

    private void Create(uint reference, ReadOnlySpan<byte> canonicalLabels, ulong hash)
    {
        var count = 0;
        foreach (var label in new LabelEnumerator(canonicalLabels))
        {
            ReserveScratch(count + 1);
            (names[count], values[count]) = (Symbols.Intern(label.Name), Symbols.Intern(label.Value));
            count++;
        }

        Create(reference, count, hash);
    }

    /// <summary>Makes a series of the first labels in <see cref="names"/> and <see cref="values"/>.</summary>
    private void Create(uint reference, int labelCount, ulong hash)
    {
        var symbols = new SeriesSymbols(names.AsSpan(0, labelCount), values.AsSpan(0, labelCount));
        if (reference >= SampleBatch.NewSeriesFlag)
        {
            throw new InvalidOperationException($"a shard can give out {SampleBatch.NewSeriesFlag} series references in its life, and has");
        }

        var page = (int)(reference >> PageBits);
        if (page >= pages.Length)
        {
            var grown = new HeadSeries[]?[Math.Max(page + 1, pages.Length * 2)];
            pages.CopyTo(grown, 0);
            Volatile.Write(ref pages, grown);
        }

        pages[page] ??= new HeadSeries[1 << PageBits];
        ref var series = ref pages[page]![reference & PageMask];
        series.Hash = hash;
        var labels = new Span<uint>(arena.Allocate((1 + labelCount) * sizeof(uint)), 1 + labelCount);
        labels[0] = shapes.Intern(symbols.Names);
        symbols.Values.CopyTo(labels[1..]);
        series.Labels = (nint)Unsafe.AsPointer(ref labels[0]);
        nextReference = Math.Max(nextReference, reference + 1);
        Volatile.Write(ref seriesCount, seriesCount + 1);
        EnterTable(reference, hash);
        Postings.Add(reference, symbols);
    }

    private void ReserveScratch(int labelCount)
    {
        if (labelCount > names.Length)
        {
            Array.Resize(ref names, labelCount * 2);
            Array.Resize(ref values, labelCount * 2);
        }
    }

    private SeriesSymbols SymbolsOf(ref HeadSeries series) => SymbolsOf(ref series, out _);

    private SeriesSymbols SymbolsOf(ref HeadSeries series, out uint shape)
    {
        var labels = (uint*)series.Labels;
        shape = *labels;
        var own = shapes[shape];
        return new SeriesSymbols(own, new ReadOnlySpan<uint>(labels + 1, own.Length));
    }

    private void EnterTable(uint reference, ulong hash)
    {
        if (seriesCount * 2 > table.Length)
        {
            var old = table;
            table = new uint[old.Length * 2];
            foreach (var slot in old)
            {
                if (slot != 0)
                {
                    Place(slot - 1, At(slot - 1).Hash);
                }
            }
        }

        Place(reference, hash);
    }

    private void Place(uint reference, ulong hash)
    {
        var at = hash;
        while (table[at & (ulong)(table.Length - 1)] != 0)
        {
            at++;
        }

        table[at & (ulong)(table.Length - 1)] = reference + 1;
    }

    private bool HasLabels(ref HeadSeries series, ReadOnlySpan<byte> canonicalLabels)
    {
        var symbols = SymbolsOf(ref series);
        var at = 0;
        foreach (var label in new LabelEnumerator(canonicalLabels))
        {
            if (at == symbols.Count || !Symbols[symbols.Names[at]].SequenceEqual(label.Name) || !Symbols[symbols.Values[at]].SequenceEqual(label.Value))
            {
                return false;
            }

            at++;
        }

        return at == symbols.Count;
    }

    private void Covers(long timeMs)
    {
        if (timeMs > maxTimeMs)
        {
            Volatile.Write(ref maxTimeMs, timeMs);
        }

        if (timeMs < minTimeMs)
        {
            Volatile.Write(ref minTimeMs, timeMs);
        }
    }

    private sealed class ValueCounts(HeadPostings postings) : ILabelValueVisitor
    {
        public Dictionary<string, int> Found { get; } = new(StringComparer.Ordinal);

        public bool Visit(ReadOnlySpan<byte> value, long list)
        {
            Found[Encoding.UTF8.GetString(value)] = list < 0 ? 0 : postings.CountOf(list);
            return true;
        }
    }
}
