using Metrics.Model;

namespace Metrics.Storage;

/// <summary>An open block. Thread-safe.</summary>
/// <remarks>
/// The files stay mapped until <see cref="Dispose"/> was called and every series set taken from the block is disposed, so a block can be dropped
/// while queries run over it. Damage found on opening or on reading raises <see cref="InvalidDataException"/> with file, offset and reason.
/// </remarks>
public sealed class BlockReader : IDisposable
{
    /// <summary>The index's name inside a block.</summary>
    public const string IndexFileName = "index";

    private readonly ChunkSegments segments;
    private readonly IBlockFiles files;
    private int references = 1;
    private int disposed;

    private BlockReader(string directory, BlockMeta meta, IBlockFiles files, IndexReader index, ChunkSegments segments, Tombstones tombstones)
    {
        DirectoryPath = directory;
        this.files = files;
        Meta = meta;
        Index = index;
        this.segments = segments;
        Tombstones = tombstones;
    }

    /// <summary>The block's directory, or its folder in a store.</summary>
    public string DirectoryPath { get; }

    /// <summary>What <c>meta.json</c> says.</summary>
    public BlockMeta Meta { get; }

    /// <summary>The index, for callers that hold a reference to the block.</summary>
    public IndexReader Index { get; }

    /// <summary>Deletions not yet carried out.</summary>
    public Tombstones Tombstones { get; }

    /// <summary>The time covered, both ends inclusive.</summary>
    public TimeRange Range => new(Meta.MinTime, Meta.MaxTime - 1);

    /// <summary>Bytes of index and chunks.</summary>
    public long Length => Index.Length + segments.Length;

    /// <summary>True when nobody reads the block at this moment.</summary>
    internal bool IsIdle => Volatile.Read(ref references) <= 1;

    /// <summary>Opens a block directory.</summary>
    /// <exception cref="InvalidDataException">The block is damaged; the message names file, offset and reason.</exception>
    public static BlockReader Open(string directory)
    {
        var meta = BlockMeta.Read(directory);
        if (meta.MaxTime <= meta.MinTime)
        {
            throw new InvalidDataException($"{Path.Combine(directory, BlockMeta.FileName)}: offset 0: the block covers {meta.MinTime} to {meta.MaxTime}");
        }

        if (Ulid.TryParse(Path.GetFileName(Path.TrimEndingDirectorySeparator(directory)), out var name) && name != meta.Ulid)
        {
            throw new InvalidDataException($"{Path.Combine(directory, BlockMeta.FileName)}: offset 0: it describes block {meta.Ulid}, but lies in the directory of {name}");
        }

        var block = Open(meta, new LocalBlockFiles(directory), directory);
        try
        {
            FileSeals.CheckOnOpening(directory, meta.Metrics?.Seal);
            return block;
        }
        catch
        {
            block.Dispose();
            throw;
        }
    }

    /// <summary>Opens a block whose files lie anywhere.</summary>
    internal static BlockReader Open(BlockMeta meta, IBlockFiles files, string where)
    {
        var tombstones = Tombstones.Read(files);
        var file = files.Open(IndexFileName) ?? throw new InvalidDataException($"{files.NameOf(IndexFileName)}: offset 0: the file is missing");
        var index = new IndexReader(file);
        try
        {
            FileSeals.CheckIndex(file, meta.Metrics?.Seal);
            return new BlockReader(where, meta, files, index, ChunkSegments.Open(files), tombstones);
        }
        catch
        {
            index.Dispose();
            throw;
        }
    }

    /// <summary>The series for which all matchers hold and that have chunks in the range; see <see cref="ISeriesSet"/>.</summary>
    public ISeriesSet Select(IReadOnlyList<Matcher> matchers, TimeRange range, CancellationToken cancellation = default) => Select(matchers, range, Aggregate.Average, cancellation);

    /// <summary>The same; of a downsampled block, the samples that an aggregate makes.</summary>
    public ISeriesSet Select(IReadOnlyList<Matcher> matchers, TimeRange range, Aggregate aggregate, CancellationToken cancellation) =>
        Select(matchers, range, aggregate, HashRange.Everything, cancellation);

    /// <summary>The same; only series whose hash lies in a range, as a shard reads a block that it shares with others.</summary>
    public ISeriesSet Select(IReadOnlyList<Matcher> matchers, TimeRange range, Aggregate aggregate, HashRange within, CancellationToken cancellation)
    {
        Acquire();
        try
        {
            using var waiting = ReadCancellation.Begin(cancellation);
            var found = new BlockSeriesSet(this, range, aggregate, within, cancellation);
            if (!range.IsEmpty && Range.Overlaps(range))
            {
                found.Load(matchers, cancellation);
            }

            return found;
        }
        catch
        {
            Release();
            throw;
        }
    }

    /// <summary>The names of labels of matching series whose hash lies in a range, ascending by bytes; none when the block lies outside the range of time. Reads the index alone.</summary>
    public IReadOnlyList<string> LabelNames(IReadOnlyList<Matcher> matchers, TimeRange range, HashRange within = default, CancellationToken cancellation = default)
    {
        if (!Range.Overlaps(range))
        {
            return [];
        }

        using var held = Hold();
        using var waiting = ReadCancellation.Begin(cancellation);
        return BlockLabels.Names(this, matchers, within);
    }

    /// <summary>The values of a label of matching series whose hash lies in a range, ascending by bytes; none when the block lies outside the range of time. Reads the index alone.</summary>
    public IReadOnlyList<string> LabelValues(string name, IReadOnlyList<Matcher> matchers, TimeRange range, HashRange within = default, CancellationToken cancellation = default)
    {
        if (name.Length == 0 || !Range.Overlaps(range))
        {
            return [];
        }

        using var held = Hold();
        using var waiting = ReadCancellation.Begin(cancellation);
        return BlockLabels.Values(this, name, matchers, within);
    }

    /// <summary>The payload of a chunk, verified; valid while the caller holds a reference to the block.</summary>
    public ReadOnlySpan<byte> ReadChunk(ChunkMeta chunk, out ChunkEncoding encoding) => segments.Read(chunk.Reference, out encoding);

    /// <summary>True when a series' chunk reaches into a range, and not all of it is deleted.</summary>
    internal bool HasIn(TimeRange range, uint series, ChunkMeta chunk)
    {
        var time = new TimeRange(chunk.MinMs, chunk.MaxMs);
        return time.Overlaps(range) && !Tombstones.Covers(series, time);
    }

    /// <summary>Keeps the files mapped until the result is disposed.</summary>
    /// <exception cref="ObjectDisposedException">The block is closed.</exception>
    public IDisposable Hold()
    {
        Acquire();
        return new Reference(this);
    }

    /// <summary>Closes the block once nobody reads it any more.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            Release();
        }
    }

    /// <summary>Fetches the chunks that will be read, when they are far away.</summary>
    internal void PrefetchChunks(ReadOnlySpan<ChunkMeta> chunks, CancellationToken cancellation) => segments.Prefetch(chunks, cancellation);

    internal void Release()
    {
        switch (Interlocked.Decrement(ref references))
        {
            case 0:
                Index.Dispose();
                segments.Dispose();
                break;
            case 1:
                files.OnIdle();
                break;
        }
    }

    /// <summary>Appends the samples of a chunk within a range, while the caller holds a reference to the block.</summary>
    /// <exception cref="InvalidDataException">The chunk is damaged; the message names file, offset and reason.</exception>
    public void Decode(ChunkMeta chunk, TimeRange range, SampleBuffer into)
    {
        var data = segments.Read(chunk.Reference, out var encoding);
        try
        {
            var start = into.Count;
            ChunkDecoding.Decode(encoding, data, range, into, new TimeColumns(segments, chunk.Reference));
            CheckTimes(chunk, range, into, start);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{segments.Describe(chunk.Reference)}: {e.Message}", e);
        }
    }

    /// <summary>Writes a dense chunk into another block; returns its reference there.</summary>
    internal ulong CopyDense(ChunkMeta chunk, ReadOnlySpan<byte> data, DenseChunkWriter to)
    {
        try
        {
            return to.Copy(segments, chunk.Reference, data);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{segments.Describe(chunk.Reference)}: {e.Message}", e);
        }
    }

    /// <summary>The time column that a chunk refers to, and the bytes of its payload; false when it has none.</summary>
    /// <exception cref="InvalidDataException">The chunk or its column is damaged.</exception>
    internal bool TimeColumnOf(ChunkMeta chunk, ChunkEncoding encoding, ReadOnlySpan<byte> data, out ulong reference, out int bytes)
    {
        reference = 0;
        bytes = 0;
        if (encoding != ChunkEncoding.Dense || DenseChunk.Header.Read(data) is not { Distance: > 0 } header)
        {
            return false;
        }

        reference = TimeColumns.ReferenceOf(chunk.Reference, header);
        bytes = segments.ReadColumn(reference).Length;
        return true;
    }

    // A chunk that starts or ends elsewhere than the index says is another's, or the index is.
    private static void CheckTimes(ChunkMeta chunk, TimeRange range, SampleBuffer decoded, int start)
    {
        if (decoded.Count == start)
        {
            return;
        }

        if (decoded.Times[start] < chunk.MinMs || decoded.Times[^1] > chunk.MaxMs)
        {
            throw new InvalidDataException($"the chunk has samples from {decoded.Times[start]} to {decoded.Times[^1]} in {range.MinMs} to {range.MaxMs}, but the index says {chunk.MinMs} to {chunk.MaxMs}");
        }
    }

    private void Acquire()
    {
        var seen = Volatile.Read(ref references);
        while (true)
        {
            ObjectDisposedException.ThrowIf(seen == 0, this);
            var was = Interlocked.CompareExchange(ref references, seen + 1, seen);
            if (was == seen)
            {
                return;
            }

            seen = was;
        }
    }

    private sealed class Reference(BlockReader block) : IDisposable
    {
        private int released;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref released, 1) == 0)
            {
                block.Release();
            }
        }
    }
}
