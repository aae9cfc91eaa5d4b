using System.Runtime.InteropServices;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Is shown the labels of a series in canonical form, which last for the call.</summary>
public delegate void LabelsVisitor(ReadOnlySpan<byte> canonical);

/// <summary>The series of a block that a selection finds, and from when to when each has chunks: enough to say which of them have chunks in a range, without the block. Immutable.</summary>
/// <remarks>
/// Between two chunks of a series there is a gap, mostly of one scrape interval. Chunks with no more than <see cref="GapMs"/> between them are one run, and runs are what is kept: most series have one.
/// A range longer than that can't lie within such a gap, and so overlaps a run exactly if it overlaps one of its chunks.
/// </remarks>
public sealed class SeriesTimes
{
    /// <summary>Ranges must be longer than this to be answered, milliseconds.</summary>
    public const long GapMs = 5 * 60 * 1000;

    private const int RunBytes = 16;
    private const int EndBytes = 8;

    private readonly byte[] labels;
    private readonly TimeRange[] runs;

    // Of each series, where its labels and its runs end.
    private readonly (int Labels, int Runs)[] ends;

    private SeriesTimes(byte[] labels, TimeRange[] runs, (int Labels, int Runs)[] ends) => (this.labels, this.runs, this.ends) = (labels, runs, ends);

    /// <summary>The memory that it takes, about.</summary>
    public long Bytes => labels.Length + ((long)runs.Length * RunBytes) + ((long)ends.Length * EndBytes);

    /// <summary>True when it says something about ranges of this length.</summary>
    public static bool Tells(TimeRange range) => !range.IsEmpty && unchecked((ulong)range.MaxMs - (ulong)range.MinMs) >= GapMs;

    /// <summary>Reads the matching series off the index, all of the block; null when they take more memory than they may.</summary>
    /// <exception cref="InvalidDataException">The block is damaged.</exception>
    public static SeriesTimes? Read(BlockReader block, IReadOnlyList<Matcher> matchers, HashRange within, long maxBytes, CancellationToken cancellation)
    {
        using var text = new PooledList<byte>();
        using var times = new PooledList<TimeRange>();
        using var bounds = new PooledList<(int Labels, int Runs)>();
        var isWhole = true;
        Visit(
            block, matchers, TimeRange.All, within,
            (canonical, chunks) =>
            {
                // Counted as if no chunks were joined, so that the memory is there before it is taken.
                if (text.Count + canonical.Length + ((times.Count + chunks.Length) * (long)RunBytes) + (bounds.Count * (long)EndBytes) > maxBytes)
                {
                    isWhole = false;
                    return false;
                }

                canonical.CopyTo(text.Extend(canonical.Length));
                AddRuns(chunks, times);
                bounds.Add((text.Count, times.Count));
                return true;
            },
            cancellation);
        return isWhole ? new SeriesTimes(text.Items.ToArray(), times.Items.ToArray(), bounds.Items.ToArray()) : null;
    }

    /// <summary>Shows the labels of the block's matching series that have chunks in a range; reads the index alone.</summary>
    /// <exception cref="InvalidDataException">The block is damaged.</exception>
    public static void Visit(BlockReader block, IReadOnlyList<Matcher> matchers, TimeRange range, HashRange within, LabelsVisitor visit, CancellationToken cancellation) =>
        Visit(
            block, matchers, range, within,
            (canonical, _) =>
            {
                visit(canonical);
                return true;
            },
            cancellation);

    /// <summary>Shows the labels of the series that have chunks in a range.</summary>
    /// <exception cref="ArgumentException">The range is too short to tell.</exception>
    public void Visit(TimeRange range, LabelsVisitor visit)
    {
        if (!Tells(range))
        {
            throw new ArgumentException($"a range of {range.MaxMs - range.MinMs} ms is too short", nameof(range));
        }

        var (label, run) = (0, 0);
        foreach (var (labelsEnd, runsEnd) in ends)
        {
            for (var at = run; at < runsEnd; at++)
            {
                if (runs[at].Overlaps(range))
                {
                    visit(labels.AsSpan(label, labelsEnd - label));
                    break;
                }
            }

            (label, run) = (labelsEnd, runsEnd);
        }
    }

    private static void AddRuns(ReadOnlySpan<ChunkMeta> chunks, PooledList<TimeRange> runs)
    {
        var run = new TimeRange(chunks[0].MinMs, chunks[0].MaxMs);
        foreach (var chunk in chunks[1..])
        {
            // Chunks may overlap, and another program's may stand in any order: a run that is left is not taken up again, which costs memory and nothing else.
            if (Distance(run, chunk) <= GapMs)
            {
                run = new TimeRange(Math.Min(run.MinMs, chunk.MinMs), Math.Max(run.MaxMs, chunk.MaxMs));
            }
            else
            {
                runs.Add(run);
                run = new TimeRange(chunk.MinMs, chunk.MaxMs);
            }
        }

        runs.Add(run);
    }

    /// <summary>How many milliseconds lie between a run and a chunk, in none of the two; 0 when they touch or overlap.</summary>
    private static Int128 Distance(TimeRange run, ChunkMeta chunk) => Int128.Max(0, Int128.Max((Int128)chunk.MinMs - run.MaxMs, (Int128)run.MinMs - chunk.MaxMs) - 1);

    /// <summary>Shows labels and chunks of matching series, as <see cref="BlockReader.Select(IReadOnlyList{Matcher}, TimeRange, CancellationToken)"/> finds them: chunks outside the range, and those of which all is deleted, are left out, and so are series without any.</summary>
    private static void Visit(BlockReader block, IReadOnlyList<Matcher> matchers, TimeRange range, HashRange within, SeriesVisitor visit, CancellationToken cancellation)
    {
        if (range.IsEmpty || !block.Range.Overlaps(range))
        {
            return;
        }

        using var held = block.Hold();
        using var waiting = ReadCancellation.Begin(cancellation);
        var chunks = new List<ChunkMeta>();
        using var found = new MatchingSeries(block, matchers, within, cancellation);
        while (found.MoveNext())
        {
            chunks.Clear();
            foreach (var chunk in found.Entry.Chunks)
            {
                if (block.HasIn(range, found.Reference, chunk))
                {
                    chunks.Add(chunk);
                }
            }

            if (chunks.Count > 0 && !visit(found.Entry.CanonicalLabels, CollectionsMarshal.AsSpan(chunks)))
            {
                return;
            }
        }
    }

    /// <summary>Is shown a series with chunks, and says whether it wants more.</summary>
    private delegate bool SeriesVisitor(ReadOnlySpan<byte> canonical, ReadOnlySpan<ChunkMeta> chunks);
}
