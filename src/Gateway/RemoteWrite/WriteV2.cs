using System.Buffers;
using Metrics.Model;
using Metrics.Wire;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>Walks a remote write 2.0 message into the shards' batches.</summary>
/// <remarks>
/// Labels come as numbers of symbols. They are written out as remote write 1.0 has them, so that a series is known by the same fingerprint whichever protocol brings it.
/// Rules: prometheus.io/docs/specs/prw/remote_write_spec_2_0.
/// </remarks>
internal static class WriteV2
{
    private static ReadOnlySpan<byte> MetricName => "__name__"u8;

    /// <summary>Reads the message; gives the number of its series.</summary>
    /// <exception cref="FormatException">It is malformed.</exception>
    /// <exception cref="WriteRefusal">It asks for too much.</exception>
    public static int Read(ReadOnlySpan<byte> message, WriteSink sink, RequestLoad load)
    {
        using var reader = new WriteRequest2Reader(message);
        var labels = new ArrayBufferWriter<byte>(1024);
        var series = 0;
        while (!sink.IsShut && reader.Read())
        {
            series++;
            Add(reader.GetSeries(), labels, sink, load);
        }

        return series;
    }

    private static void Add(TimeSeries2View view, ArrayBufferWriter<byte> labels, WriteSink sink, RequestLoad load)
    {
        load.AddSamples(view.SampleCount + view.HistogramCount);
        if (view.SampleCount > 0 && view.HistogramCount > 0)
        {
            throw new WireFormatException(WireError.BadTag, 0, "a series has samples and histograms, want one of the two");
        }

        labels.ResetWrittenCount();
        var name = WriteOut(view, labels, load);
        if (view.HasMetadata)
        {
            WriteMetadata.Note(name, view.GetMetadata(), sink.Describe);
        }

        // Prometheus sends each exemplar as a series of its own, without samples.
        if (view.SampleCount + view.HistogramCount + view.ExemplarCount == 0)
        {
            return;
        }

        sink.BeginSeries(labels.WrittenSpan);
        foreach (var sample in view.Samples)
        {
            sink.Add(sample.TimestampMs, sample.Value);
        }

        foreach (var sample in view.Histograms)
        {
            load.AddHistogram(sample, sink);
        }

        foreach (var exemplar in view.Exemplars)
        {
            var exemplarLabels = new LabelsBuilder();
            var characters = 0;
            foreach (var label in exemplar.Labels)
            {
                characters += ExemplarLabels.Add(label, exemplarLabels);
            }

            load.AddExemplar(exemplar.TimestampMs, exemplar.Value, exemplarLabels, characters, sink);
        }
    }

    /// <summary>Writes the labels out; gives the value of the metric name.</summary>
    private static ReadOnlySpan<byte> WriteOut(TimeSeries2View view, ArrayBufferWriter<byte> to, RequestLoad load)
    {
        ReadOnlySpan<byte> metric = default;
        foreach (var label in view.Labels)
        {
            load.AddLabels(RemoteWriteLabels.Length(label.Name, label.Value));
            RemoteWriteLabels.Append(to, label.Name, label.Value);
            if (label.Name.SequenceEqual(MetricName))
            {
                metric = label.Value;
            }
        }

        return metric;
    }
}
