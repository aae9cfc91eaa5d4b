using System.Buffers.Binary;

namespace Metrics.Storage;

/// <summary>The times that series scraped together share: an entry of a segment of its own, to which chunks refer.</summary>
internal static class TimeColumn
{
    /// <summary>The most bytes that the entry's payload has.</summary>
    public static int MaxBytes => sizeof(ushort) + IntegerEncoder.MaxBytes(DenseChunk.MaxSamples);

    /// <summary>Writes ascending times; returns the bytes written.</summary>
    public static int Encode(ReadOnlySpan<long> times, IntegerEncoder encoder, Span<byte> to)
    {
        BinaryPrimitives.WriteUInt16BigEndian(to, (ushort)times.Length);
        return sizeof(ushort) + encoder.Encode(times, to[sizeof(ushort)..]);
    }

    /// <summary>The number of times in a column.</summary>
    /// <exception cref="InvalidDataException">The bytes are damaged.</exception>
    public static int Count(ReadOnlySpan<byte> column)
    {
        var count = new DenseReader(column).Count();
        if (count is 0 or > DenseChunk.MaxSamples)
        {
            DenseReader.Throw($"a time column has {count} times");
        }

        return count;
    }

    /// <summary>Reads all times of a column; the span has exactly <see cref="Count"/> entries.</summary>
    /// <exception cref="InvalidDataException">The bytes are damaged, or the times do not ascend.</exception>
    public static void Decode(ReadOnlySpan<byte> column, Span<long> into)
    {
        var from = new DenseReader(column[sizeof(ushort)..]);
        Read(ref from, into);
        if (from.Left > 0)
        {
            DenseReader.Throw($"{from.Left} bytes follow the times");
        }
    }

    /// <summary>Reads ascending times, as many as <paramref name="into"/> takes.</summary>
    /// <exception cref="InvalidDataException">The bytes are damaged, or the times do not ascend.</exception>
    public static void Read(scoped ref DenseReader from, Span<long> into)
    {
        PackedIntegers.Read(ref from, into, 0, into.Length);
        for (var i = 1; i < into.Length; i++)
        {
            if (into[i] <= into[i - 1])
            {
                DenseReader.Throw($"time {into[i]} follows {into[i - 1]}");
            }
        }
    }
}
