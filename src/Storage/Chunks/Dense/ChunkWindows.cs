namespace Metrics.Storage;

/// <summary>Where dense chunks end: at the bounds of time windows, so that series scraped together have the same times in their chunks whenever they began.</summary>
/// <remarks>A window of 15 min, an hour, two, four, twelve, a day and so on: the longest that a chunk can fill at the interval at hand. Each bound of a long one is a bound of the shorter ones, so that a
/// series that was taken for a faster one has slices of the others' columns, and all of them are bounds of blocks.</remarks>
internal static class ChunkWindows
{
    /// <summary>Differences that are looked at to find the interval.</summary>
    private const int Samples = 9;

    private const long ShortestMs = 15 * 60_000;

    private static readonly long[] Lengths = [ShortestMs, 2 * ShortestMs, 4 * ShortestMs, 8 * ShortestMs, 16 * ShortestMs, 48 * ShortestMs, 96 * ShortestMs, 192 * ShortestMs, 672 * ShortestMs];

    /// <summary>The length of the windows for ascending times.</summary>
    public static long LengthFor(ReadOnlySpan<long> times)
    {
        if (times.Length < 2)
        {
            return ShortestMs;
        }

        Span<long> intervals = stackalloc long[Samples];
        for (var i = 0; i < Samples; i++)
        {
            var at = 1 + (int)((long)i * (times.Length - 1) / Samples);
            intervals[i] = unchecked(times[at] - times[at - 1]);
        }

        intervals.Sort();
        return LengthFor(intervals[Samples / 2]);
    }

    /// <summary>True for a chunk that has most of the samples that its window can have, so that neighbours could add little to it.</summary>
    public static bool IsFull(ChunkMeta chunk, int count)
    {
        if (count < 2)
        {
            return false;
        }

        // As doubles, for what an index says may overflow.
        var interval = ((double)chunk.MaxMs - chunk.MinMs) / (count - 1);
        return count > DenseChunk.MaxSamples / 2 || (interval is >= 1 and < ShortestMs * 100 && interval * count >= 0.75 * LengthFor((long)interval));
    }

    private static long LengthFor(long interval)
    {
        var length = ShortestMs;
        while (length / 2 > 0 && length / interval > DenseChunk.MaxSamples)
        {
            length /= 2;
        }

        foreach (var longer in Lengths)
        {
            length = longer / interval <= DenseChunk.MaxSamples && longer > length ? longer : length;
        }

        return length;
    }

    /// <summary>The end of the chunk that begins with a sample.</summary>
    public static int EndOf(ReadOnlySpan<long> times, int from, long lengthMs)
    {
        var end = Math.Min(times.Length, from + DenseChunk.MaxSamples);
        var offset = times[from] % lengthMs;
        var left = lengthMs - (offset < 0 ? offset + lengthMs : offset);
        var bound = times[from] > long.MaxValue - left ? long.MaxValue : times[from] + left;
        var found = times[from..end].BinarySearch(bound);
        return from + (found < 0 ? ~found : Math.Max(found, 1));
    }
}
