using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Collects what a batch brought that was new, as the log stores it; see FORMAT.md. Reused; not thread-safe.</summary>
public sealed class WriteRecord
{
    /// <summary>The type byte of a batch of floats.</summary>
    public const byte BatchType = 1;

    /// <summary>The type byte of a batch with native histograms among its samples.</summary>
    public const byte HistogramBatchType = 2;

    /// <summary>Set beside the type when exemplars follow it.</summary>
    public const byte ExemplarFlag = 0x80;

    private readonly List<(int Sample, FloatHistogram Histogram)> histograms = [];
    private readonly List<Exemplar> exemplars = [];

    private readonly LoggedSeries series = new();
    private uint[] references = new uint[64];
    private long[] times = new long[64];
    private double[] values = new double[64];
    private byte[] encoded = new byte[1024];

    /// <summary>New series held.</summary>
    public int SeriesCount => series.Count;

    /// <summary>Samples held.</summary>
    public int SampleCount { get; private set; }

    /// <summary>The time of the newest sample held, or long.MinValue.</summary>
    public long NewestMs { get; private set; } = long.MinValue;

    /// <summary>The time of the oldest sample held, or long.MaxValue.</summary>
    public long OldestMs { get; private set; } = long.MaxValue;

    /// <summary>True when there is nothing to log.</summary>
    public bool IsEmpty => SeriesCount == 0 && SampleCount == 0 && exemplars.Count == 0;

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        (SampleCount, NewestMs, OldestMs) = (0, long.MinValue, long.MaxValue);
        series.Clear();
        histograms.Clear();
        exemplars.Clear();
    }

    /// <summary>Adds an exemplar that was taken.</summary>
    public void AddExemplar(in Exemplar exemplar) => exemplars.Add(exemplar);

    /// <summary>Adds a series that got its reference now.</summary>
    public void AddSeries(uint reference, ReadOnlySpan<byte> canonicalLabels) => series.Add(reference, canonicalLabels);

    /// <summary>Adds a sample that was taken.</summary>
    public void AddSample(uint reference, long timeMs, double value)
    {
        if (SampleCount == references.Length)
        {
            Array.Resize(ref references, SampleCount * 2);
            Array.Resize(ref times, SampleCount * 2);
            Array.Resize(ref values, SampleCount * 2);
        }

        references[SampleCount] = reference;
        times[SampleCount] = timeMs;
        values[SampleCount] = value;
        NewestMs = Math.Max(NewestMs, timeMs);
        OldestMs = Math.Min(OldestMs, timeMs);
        SampleCount++;
    }

    /// <summary>Adds a native histogram that was taken.</summary>
    public void AddSample(uint reference, long timeMs, FloatHistogram histogram)
    {
        histograms.Add((SampleCount, histogram));
        AddSample(reference, timeMs, histogram.Sum);
    }

    /// <summary>The bytes to log, valid until the next call.</summary>
    public ReadOnlySpan<byte> Encode()
    {
        var most = 1 + Varint.MaxBytes + LoggedHistograms.MaxBytes(histograms) + LoggedExemplars.MaxBytes(exemplars) + series.MaxBytes + (SampleCount * (5 + (2 * Varint.MaxBytes) + LoggedValues.MaxBytes));
        if (encoded.Length < most)
        {
            encoded = new byte[most + (most / 2)];
        }

        var to = encoded.AsSpan();
        to[0] = histograms.Count == 0 ? BatchType : HistogramBatchType;
        var at = 1;
        if (exemplars.Count > 0)
        {
            to[0] |= ExemplarFlag;
            at += LoggedExemplars.Write(to[at..], exemplars);
        }

        at += histograms.Count == 0 ? 0 : LoggedHistograms.Write(to[at..], histograms);
        at += series.Write(to[at..]);
        at += Varint.Write(to[at..], (ulong)SampleCount);
        long before = 0;
        foreach (var reference in references.AsSpan(0, SampleCount))
        {
            at += Varint.WriteSigned(to[at..], reference - before);
            before = reference;
        }

        at += EncodeTimes(to[at..]);
        at += LoggedValues.Write(to[at..], values.AsSpan(0, SampleCount));
        return to[..at];
    }

    private int EncodeTimes(Span<byte> to)
    {
        var at = 0;
        long before = 0;
        for (var i = 0; i < SampleCount;)
        {
            var run = i + 1;
            while (run < SampleCount && times[run] == times[i])
            {
                run++;
            }

            at += Varint.Write(to[at..], (ulong)(run - i));
            at += Varint.WriteSigned(to[at..], unchecked(times[i] - before));
            before = times[i];
            i = run;
        }

        return at;
    }
}

/// <summary>Is shown what a record holds.</summary>
public interface IWriteRecordVisitor
{
    /// <summary>A series and the reference it got; labels are borrowed for the call.</summary>
    void Series(uint reference, ReadOnlySpan<byte> canonicalLabels);

    /// <summary>A sample.</summary>
    void Sample(uint reference, long timeMs, double value);

    /// <summary>A native histogram.</summary>
    void Sample(uint reference, long timeMs, FloatHistogram histogram);

    /// <summary>An exemplar; after the series and samples of its record.</summary>
    void Exemplar(in Exemplar exemplar);
}

/// <summary>Reads records that <see cref="WriteRecord"/> wrote.</summary>
public static class WriteRecordReader
{
    /// <summary>Shows the content of a record to a visitor.</summary>
    /// <exception cref="InvalidDataException">The bytes are no record that this version knows.</exception>
    public static void Read<TVisitor>(ReadOnlySpan<byte> payload, TVisitor visitor)
        where TVisitor : IWriteRecordVisitor
    {
        var type = payload.IsEmpty ? 0 : payload[0] & ~WriteRecord.ExemplarFlag;
        if (type is not (WriteRecord.BatchType or WriteRecord.HistogramBatchType))
        {
            throw new InvalidDataException($"a log record of type {(payload.IsEmpty ? "none" : payload[0])}; known are {WriteRecord.BatchType} and {WriteRecord.HistogramBatchType}");
        }

        try
        {
            var rest = payload[1..];
            var exemplars = (payload[0] & WriteRecord.ExemplarFlag) != 0 ? LoggedExemplars.Read(ref rest) : [];
            var histograms = type == WriteRecord.HistogramBatchType ? LoggedHistograms.Read(ref rest) : [];
            ReadBatch(rest, histograms, visitor);
            foreach (var exemplar in exemplars)
            {
                visitor.Exemplar(exemplar);
            }
        }
        catch (Exception e) when (e is FormatException or ArgumentOutOfRangeException or IndexOutOfRangeException or OverflowException)
        {
            throw new InvalidDataException($"a log record of {payload.Length} bytes has the right checksum but ends inside a column", e);
        }
    }

    private static void ReadBatch<TVisitor>(ReadOnlySpan<byte> rest, List<(int Sample, FloatHistogram Histogram)> histograms, TVisitor visitor)
        where TVisitor : IWriteRecordVisitor
    {
        LoggedSeries.Read(ref rest, visitor);
        var count = checked((int)Varint.Read(ref rest));
        var references = rest;
        Skip(ref rest, count);
        var times = rest;
        var timesLeft = count;
        while (timesLeft > 0)
        {
            timesLeft = checked(timesLeft - RunOf(ref rest, timesLeft));
            Varint.Read(ref rest);
        }

        long reference64 = 0, time = 0;
        var nextHistogram = 0;
        for (var i = 0; i < count;)
        {
            var run = RunOf(ref times, count - i);
            time = unchecked(time + Varint.ReadSigned(ref times));
            for (var end = i + run; i < end; i++)
            {
                reference64 += Varint.ReadSigned(ref references);
                var value = LoggedValues.Read(ref rest);
                if (nextHistogram < histograms.Count && histograms[nextHistogram].Sample == i)
                {
                    visitor.Sample(checked((uint)reference64), time, histograms[nextHistogram++].Histogram);
                    continue;
                }

                visitor.Sample(checked((uint)reference64), time, value);
            }
        }
    }

    private static void Skip(ref ReadOnlySpan<byte> rest, int varints)
    {
        for (; varints > 0; varints--)
        {
            Varint.Read(ref rest);
        }
    }

    private static int RunOf(ref ReadOnlySpan<byte> times, int most)
    {
        var run = Varint.Read(ref times);
        return run >= 1 && run <= (ulong)most ? (int)run : throw new FormatException($"a run of {run} samples at one time, where {most} are left");
    }
}
