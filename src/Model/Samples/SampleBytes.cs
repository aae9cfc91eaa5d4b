namespace Metrics.Model;

/// <summary>The samples of a series as bytes, bit for bit, for messages between nodes.</summary>
/// <remarks>
/// <code>
///   flags u8: 1 = histograms, 2 = start times | count
///   times        the first, then differences of differences (zigzag)
///   values       8 bytes each
///   histograms   if any: per sample 0, or 1 and the histogram
///   start times  if any: zigzag each
/// </code>
/// </remarks>
public static class SampleBytes
{
    private const byte HasHistograms = 1;
    private const byte HasStartTimes = 2;

    /// <summary>Writes all samples of a buffer.</summary>
    public static void Write(ByteWriter to, SampleBuffer samples)
    {
        var histograms = samples.Histograms;
        var starts = samples.StartTimes;
        to.Byte((byte)((histograms.IsEmpty ? 0 : HasHistograms) | (starts.IsEmpty ? 0 : HasStartTimes)));
        to.UVarint((ulong)samples.Count);
        long before = 0, step = 0;
        foreach (var time in samples.Times)
        {
            var next = unchecked(time - before);
            to.SVarint(unchecked(next - step));
            (before, step) = (time, next);
        }

        to.Doubles(samples.Values);
        foreach (var histogram in histograms)
        {
            to.Bool(histogram is not null);
            if (histogram is not null)
            {
                HistogramBytes.Write(to, histogram);
            }
        }

        foreach (var start in starts)
        {
            to.SVarint(start);
        }
    }

    /// <summary>Reads samples into an empty buffer.</summary>
    /// <exception cref="InvalidDataException">The bytes are none, or times do not ascend.</exception>
    public static void Read(ref ByteReader from, SampleBuffer into)
    {
        var flags = from.Byte();
        var count = from.Count(1 + sizeof(double));
        into.Reserve(count, out var times, out var values);
        long before = 0, step = 0;
        for (var i = 0; i < count; i++)
        {
            step = unchecked(step + from.SVarint());
            times[i] = unchecked(before + step);
            if (i > 0 && times[i] <= before)
            {
                throw new InvalidDataException("the times of samples do not ascend");
            }

            before = times[i];
        }

        from.Doubles(values[..count]);
        into.Advance(count);
        for (var i = 0; (flags & HasHistograms) != 0 && i < count; i++)
        {
            if (from.Bool())
            {
                into.Put(i, HistogramBytes.Read(ref from));
            }
        }

        for (var i = 0; (flags & HasStartTimes) != 0 && i < count; i++)
        {
            into.PutStartTime(i, from.SVarint());
        }
    }
}
