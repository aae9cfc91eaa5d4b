namespace Metrics.Storage;

/// <summary>Decoded time columns of all open blocks, at most 32 MiB of them. Thread-safe without a lock.</summary>
/// <remarks>
/// A table of as many places as columns may stay: a column has one place, and whoever finds another one there takes some of its credit, which every use gives back. So a scan over more columns than fit
/// neither drives out those in use nor allocates for each. One table for the process: one per block would need a bound over all of them. What belongs to a closed block is never found again, as
/// segments are numbered for good, and goes when its place is taken. Credit is changed without a fence: a lost change costs a decoding, of about a microsecond. Hits are not counted: a counter that all readers write would cost more than what it counts.
/// </remarks>
internal static class TimeColumnCache
{
    /// <summary>Places; with <see cref="DenseChunk.MaxSamples"/> times each, 32 MiB.</summary>
    public const int Places = 4096;

    private const int MaxCredit = 3;

    private static readonly Entry?[] Table = new Entry?[Places];
    private static long misses;
    private static long heldBytes;

    /// <summary>Bytes of times that are kept.</summary>
    public static long HeldBytes => Interlocked.Read(ref heldBytes);

    /// <summary>How often a column had to be decoded.</summary>
    public static long Misses => Interlocked.Read(ref misses);

    /// <summary>The times of a column, or null.</summary>
    public static long[]? Find(ChunkSegments segments, ulong reference)
    {
        var entry = Volatile.Read(ref Table[PlaceOf(segments.Number, reference)]);
        if (entry is null || entry.Segments != segments.Number || entry.Reference != reference)
        {
            return null;
        }

        if (entry.Credit < MaxCredit)
        {
            entry.Credit++;
        }

        return entry.Times;
    }

    /// <summary>Keeps the times of a column, unless its place is in use.</summary>
    public static void Offer(ChunkSegments segments, ulong reference, ReadOnlySpan<long> times)
    {
        Interlocked.Increment(ref misses);
        ref var place = ref Table[PlaceOf(segments.Number, reference)];
        var there = Volatile.Read(ref place);
        if (there is not null && there.Credit-- > 0)
        {
            return;
        }

        var entry = new Entry(segments.Number, reference, times.ToArray());
        if (Interlocked.CompareExchange(ref place, entry, there) == there)
        {
            Interlocked.Add(ref heldBytes, (entry.Times.Length - (there?.Times.Length ?? 0)) * sizeof(long));
        }
    }

    // Fibonacci hashing: Knuth vol. 3, 6.4.
    private static int PlaceOf(long segments, ulong reference) =>
        (int)((unchecked((reference + ((ulong)segments << 40)) * 0x9E3779B97F4A7C15) >> 52) & (Places - 1));

    private sealed class Entry(long segments, ulong reference, long[] times)
    {
        public readonly long Segments = segments;
        public readonly ulong Reference = reference;
        public readonly long[] Times = times;
        public int Credit = 1;
    }
}
