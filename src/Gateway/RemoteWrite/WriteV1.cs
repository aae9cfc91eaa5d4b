using System.Text;
using Metrics.Cluster;
using Metrics.Model;
using Metrics.Wire;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>Walks a remote write 1.0 message into the shards' batches.</summary>
internal static class WriteV1
{
    /// <summary>Reads the message; gives the number of its series.</summary>
    /// <exception cref="FormatException">It is malformed.</exception>
    /// <exception cref="WriteRefusal">It asks for too much.</exception>
    public static int Read(ReadOnlySpan<byte> message, WriteSink sink, RequestLoad load)
    {
        // A series is added when the one behind it is announced: what the cache knows of it is on its way from memory meanwhile.
        var reader = new WriteRequestReader(message);
        var series = 0;
        var before = default(TimeSeriesView);
        UInt128 fingerprint = default;
        for (var part = reader.Read(); part != WriteRequestPart.End && !sink.IsShut; part = reader.Read())
        {
            if (part == WriteRequestPart.Metadata)
            {
                WriteMetadata.Note(reader.GetMetadata(), sink);
                continue;
            }

            var view = reader.GetSeries();
            var announced = sink.Announce(view.RawLabels);
            if (series++ > 0)
            {
                Add(before, fingerprint, sink, load);
            }

            before = view;
            fingerprint = announced;
        }

        if (series > 0 && !sink.IsShut)
        {
            Add(before, fingerprint, sink, load);
        }

        return series;
    }

    private static void Add(TimeSeriesView view, UInt128 fingerprint, WriteSink sink, RequestLoad load)
    {
        load.AddSamples(view.SampleCount + view.HistogramCount);
        if (!view.HasContiguousLabels)
        {
            throw new WireFormatException(WireError.BadTag, 0, "the labels of a series are interleaved with other fields");
        }

        // Prometheus sends each exemplar as a series of its own, without samples.
        if (view.SampleCount + view.HistogramCount + view.ExemplarCount == 0)
        {
            return;
        }

        sink.BeginSeries(view.RawLabels, fingerprint);
        foreach (var sample in view.Samples)
        {
            sink.Add(sample.TimestampMs, sample.Value);
        }

        if (view.HistogramCount > 0)
        {
            foreach (var sample in view.Histograms)
            {
                load.AddHistogram(sample, sink);
            }
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
}

/// <summary>Notes what senders say of metric families.</summary>
internal static class WriteMetadata
{
    /// <summary>Notes an entry that names its family, apart from any series.</summary>
    public static void Note(MetadataView view, WriteSink sink) => Note(view.FamilyName, view, sink.DescribeAlone);

    /// <summary>Notes an entry under a family's name.</summary>
    public static void Note(ReadOnlySpan<byte> family, MetadataView view, Action<string, MetricMetadata> note)
    {
        if (!family.IsEmpty)
        {
            note(Encoding.UTF8.GetString(family), new MetricMetadata(TypeText(view.Type), Encoding.UTF8.GetString(view.Help), Encoding.UTF8.GetString(view.Unit)));
        }
    }

    private static string TypeText(MetricType type) => type switch
    {
        MetricType.Counter => "counter",
        MetricType.Gauge => "gauge",
        MetricType.Histogram => "histogram",
        MetricType.GaugeHistogram => "gaugehistogram",
        MetricType.Summary => "summary",
        MetricType.Info => "info",
        MetricType.StateSet => "stateset",
        _ => "unknown",
    };
}
