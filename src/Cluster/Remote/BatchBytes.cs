using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>A batch as bytes: its incarnation (8 bytes), then what a log record holds (Storage/Log/FORMAT.md), in which the series carried have their index with <see cref="SampleBatch.NewSeriesFlag"/> as reference.</summary>
internal static class BatchBytes
{
    /// <summary>The most bytes of labels that a batch may bring: a few kilobytes of record can name a long text again and again.</summary>
    private const int MaxLabelBytes = 256 * 1024 * 1024;

    // One for each thread that writes batches, as large as the largest of them.
    [ThreadStatic]
    private static WriteRecord? scratch;

    /// <summary>Writes a batch.</summary>
    public static void Write(ByteWriter to, SampleBatch batch)
    {
        var record = scratch ??= new WriteRecord();
        record.Clear();
        for (var i = 0; i < batch.NewSeriesCount; i++)
        {
            record.AddSeries(SampleBatch.NewSeriesFlag | (uint)i, batch.LabelsOf(i));
        }

        var series = batch.Series;
        var times = batch.Times;
        var values = batch.Values;
        var histograms = batch.Histograms;
        for (var i = 0; i < series.Length; i++)
        {
            if (!histograms.IsEmpty && histograms[i] is { } histogram)
            {
                record.AddSample(series[i], times[i], histogram);
            }
            else
            {
                record.AddSample(series[i], times[i], values[i]);
            }
        }

        foreach (var exemplar in batch.Exemplars)
        {
            record.AddExemplar(new Exemplar(exemplar.Series, exemplar.TimeMs, exemplar.Value, exemplar.Labels));
        }

        to.UInt64(batch.Incarnation);
        to.Raw(record.Encode());
        record.Clear();
    }

    /// <summary>Reads a batch into an empty one.</summary>
    /// <exception cref="InvalidDataException">The bytes are none.</exception>
    public static void Read(ref ByteReader from, SampleBatch into)
    {
        into.Incarnation = from.UInt64();
        WriteRecordReader.Read(from.Rest(), new Filling(into));
    }

    /// <summary>Reads a batch into an empty one that keeps the bytes it was read from, for the log (<see cref="SampleBatch.Record"/>).</summary>
    /// <exception cref="InvalidDataException">The bytes are none.</exception>
    public static void Read(ReadOnlyMemory<byte> bytes, SampleBatch into)
    {
        var from = new ByteReader(bytes.Span);
        Read(ref from, into);
        into.Record = bytes[sizeof(ulong)..];
    }

    private sealed class Filling(SampleBatch batch) : IWriteRecordVisitor
    {
        private long labelBytes;

        public void Series(uint reference, ReadOnlySpan<byte> canonicalLabels)
        {
            labelBytes += canonicalLabels.Length;
            if (reference != (SampleBatch.NewSeriesFlag | (uint)batch.NewSeriesCount) || canonicalLabels.IsEmpty || labelBytes > MaxLabelBytes || !Labels.IsCanonical(canonicalLabels))
            {
                throw new InvalidDataException($"series {batch.NewSeriesCount} of a batch has the reference {reference}, or no labels, or labels that are none");
            }

            batch.AddSeries(canonicalLabels, SeriesHash.Of(canonicalLabels));
        }

        public void Sample(uint reference, long timeMs, double value) => batch.Add(Checked(reference), timeMs, value);

        public void Sample(uint reference, long timeMs, FloatHistogram histogram) => batch.Add(Checked(reference), timeMs, histogram);

        public void Exemplar(in Exemplar exemplar)
        {
            if (!Labels.IsCanonical(exemplar.Labels.Encoded))
            {
                throw new InvalidDataException("an exemplar's labels are not in canonical form");
            }

            batch.AddExemplar(Checked(exemplar.Series), exemplar.TimeMs, exemplar.Value, exemplar.Labels);
        }

        private uint Checked(uint reference) =>
            (reference & SampleBatch.NewSeriesFlag) == 0 || (reference & ~SampleBatch.NewSeriesFlag) < (uint)batch.NewSeriesCount
                ? reference
                : throw new InvalidDataException($"a sample names series {reference & ~SampleBatch.NewSeriesFlag} of {batch.NewSeriesCount}");
    }
}
