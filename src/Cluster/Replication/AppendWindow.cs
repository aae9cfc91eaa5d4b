using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>The newest records of a leader in memory, framed once for all members. Not thread-safe.</summary>
/// <remarks>
/// Records stand behind one another, in batches of a bounded size, so that a member which was busy is given all that came meanwhile as one piece, whatever others were given. Bounded by what is not acknowledged: what is,
/// and on the leader's own disk, is dropped, and a follower that is further behind is served from there.
/// </remarks>
internal sealed class AppendWindow(long first, int batchBytes)
{
    private readonly LinkedList<Batch> batches = new();

    /// <summary>The number that the next record will have.</summary>
    public long Next { get; private set; } = first;

    /// <summary>The first record in memory.</summary>
    public long First => batches.First is { } oldest ? oldest.Value.First : Next;

    /// <summary>Bytes of records in memory.</summary>
    public long Bytes { get; private set; }

    /// <summary>Takes a record in; returns its number.</summary>
    public long Append(ReadOnlySpan<byte> payload)
    {
        var need = LogFrames.HeaderBytes + payload.Length;
        if (batches.Last is not { Value: var open } || open.Bytes + need > batchBytes)
        {
            open = new Batch(Next, Math.Max(need, 4096));
            batches.AddLast(open);
        }

        open.Append(Next, payload);
        Bytes += need;
        return Next++;
    }

    /// <summary>The frames of the records from one on, as far as they are in one batch; what is appended later comes behind them, and they stay as they are. Default when they are not in memory.</summary>
    public (ReadOnlyMemory<byte> Frames, int Count) Take(long from)
    {
        for (var at = batches.Last; at is not null; at = at.Previous)
        {
            if (at.Value.First <= from)
            {
                return from < at.Value.End ? at.Value.Take(from) : default;
            }
        }

        return default;
    }

    /// <summary>Forgets batches whose records are all before one.</summary>
    public void DropBefore(long number)
    {
        while (batches.First is { } oldest && oldest.Value.End <= number)
        {
            Bytes -= oldest.Value.Bytes;
            batches.RemoveFirst();
        }
    }

    private sealed class Batch(long first, int capacity)
    {
        private byte[] frames = new byte[capacity];

        public long First { get; } = first;

        public long End { get; private set; } = first;

        public int Bytes { get; private set; }

        public void Append(long number, ReadOnlySpan<byte> payload)
        {
            var need = Bytes + LogFrames.HeaderBytes + payload.Length;
            if (need > frames.Length)
            {
                Array.Resize(ref frames, Math.Max(need, frames.Length * 2));
            }

            Bytes += LogFrames.Write(frames.AsSpan(Bytes), number, payload);
            End = number + 1;
        }

        public (ReadOnlyMemory<byte> Frames, int Count) Take(long from)
        {
            var held = frames.AsMemory(0, Bytes);
            var skipped = from == First ? 0 : LogFrames.OffsetOf(held.Span, (int)(from - First));
            return (held[skipped..], (int)(End - from));
        }
    }
}
