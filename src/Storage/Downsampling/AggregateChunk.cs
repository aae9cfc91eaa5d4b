using System.Runtime.InteropServices;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>The chunks of Thanos's downsampled blocks: up to five chunks in one, an aggregate each.</summary>
/// <remarks>
/// thanos-io/thanos, pkg/compact/downsample/aggr.go. Count, sum, min, max and counter in this order, each: uvarint length of data (0 when absent), encoding:1, data.
/// The last sample of the counter may stand at the time of the one before: it is the raw value that the next chunk's is compared with.
/// </remarks>
internal static class AggregateChunk
{
    /// <summary>The encoding's number in a block.</summary>
    public const ChunkEncoding Encoding = (ChunkEncoding)0xff;

    /// <summary>How many aggregates there are.</summary>
    public const int Aggregates = 5;

    private const int Counter = 4;

    /// <summary>The number of times that the chunk has aggregates for.</summary>
    /// <exception cref="InvalidDataException">The chunk is damaged.</exception>
    public static int Count(ReadOnlySpan<byte> chunk)
    {
        var count = 0;
        for (var i = 0; i < Aggregates; i++)
        {
            var part = Take(ref chunk);
            if (i != Counter && !part.IsAbsent)
            {
                count = Math.Max(count, XorChunk.Count(part.Data));
            }
            else if (!part.IsAbsent && count == 0)
            {
                count = XorChunk.Count(part.Data);
            }
        }

        return count;
    }

    /// <summary>Decodes every aggregate; gives the first and last time of any, and the number of times.</summary>
    /// <exception cref="InvalidDataException">The chunk is damaged.</exception>
    public static (long FirstMs, long LastMs, int Count) Verify(ReadOnlySpan<byte> chunk, SampleBuffer scratch)
    {
        var count = Count(chunk);
        long first = long.MaxValue, last = long.MinValue;
        for (var i = 0; i < Aggregates; i++)
        {
            var part = Take(ref chunk);
            if (part.IsAbsent || i == Counter)
            {
                continue;
            }

            scratch.Clear();
            ChunkDecoding.Decode(part.Encoding, part.Data, TimeRange.All, scratch);
            if (scratch.Count > 0)
            {
                first = Math.Min(first, scratch.Times[0]);
                last = Math.Max(last, scratch.Times[^1]);
            }
        }

        return chunk.IsEmpty ? (first, last, count) : throw new InvalidDataException($"{chunk.Length} bytes follow the aggregates of a chunk");
    }

    /// <summary>Appends one aggregate's samples in a range, a counter's all; nothing when it is absent.</summary>
    /// <exception cref="InvalidDataException">The chunk is damaged.</exception>
    public static void Decode(ReadOnlySpan<byte> chunk, Aggregate aggregate, TimeRange range, SampleBuffer into)
    {
        for (var i = 0; i < Aggregates; i++)
        {
            var part = Take(ref chunk);
            if (i != (int)aggregate || part.IsAbsent)
            {
                continue;
            }

            if (i == Counter && part.Encoding == ChunkEncoding.Xor)
            {
                XorChunk.DecodeRepeating(part.Data, into);
            }
            else
            {
                ChunkDecoding.Decode(part.Encoding, part.Data, range, into);
            }
        }
    }

    /// <summary>Puts a chunk together from the encoded chunks of its aggregates, in the order of <see cref="Aggregate"/>; an empty one is absent.</summary>
    public static byte[] Join(ReadOnlySpan<(ChunkEncoding Encoding, byte[] Data)> parts)
    {
        var bytes = new List<byte>();
        Span<byte> length = stackalloc byte[Varint.MaxBytes];
        foreach (var (encoding, data) in parts)
        {
            bytes.AddRange(length[..Varint.Write(length, (ulong)data.Length)]);
            if (data.Length > 0)
            {
                bytes.Add((byte)encoding);
                bytes.AddRange(data);
            }
        }

        return [.. bytes];
    }

    private static Part Take(scoped ref ReadOnlySpan<byte> rest)
    {
        if (!Varint.TryRead(ref rest, out var length) || (length > 0 && length >= (ulong)rest.Length))
        {
            throw new InvalidDataException($"an aggregate of a chunk does not fit into the {rest.Length} bytes left");
        }

        if (length == 0)
        {
            return default;
        }

        var part = new Part { Encoding = (ChunkEncoding)rest[0], Data = rest.Slice(1, (int)length) };
        rest = rest[((int)length + 1)..];
        return part;
    }

    [StructLayout(LayoutKind.Auto)]
    private ref struct Part
    {
        public ChunkEncoding Encoding;
        public ReadOnlySpan<byte> Data;

        public readonly bool IsAbsent => Data.IsEmpty;
    }
}

/// <summary>What is kept of the samples of a window, in the order of the chunk.</summary>
public enum Aggregate
{
    /// <summary>How many there were.</summary>
    Count = 0,

    /// <summary>Their sum.</summary>
    Sum = 1,

    /// <summary>The least.</summary>
    Min = 2,

    /// <summary>The greatest.</summary>
    Max = 3,

    /// <summary>The last, as a counter that was never reset.</summary>
    Counter = 4,

    /// <summary>Sum over count; made on reading.</summary>
    Average = 5,
}
