using System.Runtime.InteropServices;

namespace Metrics.Storage;

/// <summary>The time columns that were written to a segment, to be found by the times of a series: all of a column or a run of it. Not thread-safe.</summary>
/// <remarks>
/// A series that began or ended within a column shares its last or its first time, and series that lie wholly inside one are mostly alike among themselves: so columns are looked up by the two times.
/// What is found is compared time by time. Columns are kept as they are encoded, 32 MiB of them at most; then the table begins anew, and so do the columns.
/// </remarks>
internal sealed class TimeColumnTable
{
    private const int MaxBytes = 32 * 1024 * 1024;
    private const int MaxColumns = 256 * 1024;

    /// <summary>Columns that begin, or end, at one time and are compared: neither jitter nor rounding makes many.</summary>
    private const int MaxCandidates = 8;

    private readonly List<Column> columns = [];
    private readonly List<byte> encoded = [];
    private readonly Dictionary<long, int> byFirst = [];
    private readonly Dictionary<long, int> byLast = [];
    private readonly long[] decoded = new long[DenseChunk.MaxSamples];
    private int decodedColumn = -1;

    /// <summary>Forgets all columns: another segment begins.</summary>
    public void Clear()
    {
        columns.Clear();
        encoded.Clear();
        byFirst.Clear();
        byLast.Clear();
        decodedColumn = -1;
    }

    /// <summary>Adds a column at an offset of the segment.</summary>
    public void Add(ReadOnlySpan<long> times, ReadOnlySpan<byte> data, long position)
    {
        if (encoded.Count + data.Length > MaxBytes || columns.Count == MaxColumns)
        {
            Clear();
        }

        ref var first = ref CollectionsMarshal.GetValueRefOrAddDefault(byFirst, times[0], out var begun);
        ref var last = ref CollectionsMarshal.GetValueRefOrAddDefault(byLast, times[^1], out var ended);
        columns.Add(new Column(position, times.Length, encoded.Count, data.Length, begun ? first : -1, ended ? last : -1));
        encoded.AddRange(data);
        first = last = columns.Count - 1;
    }

    /// <summary>Looks for a column that has all the times, one after the other.</summary>
    public bool TryFind(ReadOnlySpan<long> times, out ColumnPlace place)
    {
        var at = byFirst.TryGetValue(times[0], out var first) ? first : -1;
        for (var tried = 0; at >= 0 && tried < MaxCandidates; tried++, at = columns[at].PreviousByFirst)
        {
            if (columns[at].Count >= times.Length && Decoded(at)[..times.Length].SequenceEqual(times))
            {
                place = new ColumnPlace(columns[at].Position, 0, columns[at].Count);
                return true;
            }
        }

        at = byLast.TryGetValue(times[^1], out var last) ? last : -1;
        for (var tried = 0; at >= 0 && tried < MaxCandidates; tried++, at = columns[at].PreviousByLast)
        {
            if (columns[at].Count > times.Length && Decoded(at)[^times.Length..].SequenceEqual(times))
            {
                place = new ColumnPlace(columns[at].Position, columns[at].Count - times.Length, columns[at].Count);
                return true;
            }
        }

        place = default;
        return false;
    }

    private ReadOnlySpan<long> Decoded(int index)
    {
        var column = columns[index];
        var times = decoded.AsSpan(0, column.Count);
        if (decodedColumn != index)
        {
            TimeColumn.Decode(CollectionsMarshal.AsSpan(encoded).Slice(column.Start, column.Length), times);
            decodedColumn = index;
        }

        return times;
    }

    private readonly record struct Column(long Position, int Count, int Start, int Length, int PreviousByFirst, int PreviousByLast);
}

/// <summary>Where times stand in a segment.</summary>
/// <param name="Position">The offset of their column.</param>
/// <param name="Offset">The first of them in the column.</param>
/// <param name="Count">The times of the column.</param>
internal readonly record struct ColumnPlace(long Position, int Offset, int Count);
