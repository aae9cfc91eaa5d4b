using Metrics.Model;

namespace Metrics.Wire;

/// <summary>Encodes a <c>prometheus.WriteRequest</c> (remote write 1.0) into one pooled buffer. Reusable; not thread-safe; dispose it once.</summary>
/// <remarks>
/// Either a whole series at a time, or <see cref="BeginSeries"/>, then labels, samples, exemplars and histograms in this order, then <see cref="EndSeries"/>.
/// Labels should come sorted by name; the writer writes what it is given.
/// </remarks>
public sealed class WriteRequestWriter : IDisposable
{
    private readonly ProtobufWriter fields = new();
    private int series;

    /// <summary>The request so far; valid until the next write.</summary>
    public ReadOnlySpan<byte> Written => fields.Written;

    /// <summary>Forgets the request and keeps the buffer.</summary>
    public void Clear() => fields.Clear();

    /// <summary>Adds a series with its samples: parallel columns of times and values.</summary>
    public void AddSeries(Labels labels, ReadOnlySpan<long> timesMs, ReadOnlySpan<double> values)
    {
        BeginSeries();
        AddLabels(labels);
        for (var i = 0; i < timesMs.Length; i++)
        {
            AddSample(timesMs[i], values[i]);
        }

        EndSeries();
    }

    /// <summary>Begins a series.</summary>
    public void BeginSeries() => series = fields.Begin(1);

    /// <summary>Ends the series.</summary>
    public void EndSeries() => fields.End(series);

    /// <summary>Adds labels to the series.</summary>
    public void AddLabels(Labels labels)
    {
        foreach (var label in labels)
        {
            AddLabel(label.Name, label.Value);
        }
    }

    /// <summary>Adds a label to the series.</summary>
    public void AddLabel(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        var label = fields.Begin(1);
        fields.Bytes(1, name);
        fields.Bytes(2, value);
        fields.End(label);
    }

    /// <summary>Adds a float sample to the series.</summary>
    public void AddSample(long timestampMs, double value)
    {
        var sample = fields.Begin(2);
        fields.Double(1, value);
        fields.Varint64(2, (ulong)timestampMs);
        fields.End(sample);
    }

    /// <summary>Adds an exemplar to the series.</summary>
    public void AddExemplar(Labels labels, long timestampMs, double value)
    {
        var exemplar = fields.Begin(3);
        AddLabels(labels);
        fields.Double(2, value);
        fields.Varint64(3, (ulong)timestampMs);
        fields.End(exemplar);
    }

    /// <summary>Adds a native histogram to the series.</summary>
    public void AddHistogram(HistogramSample histogram)
    {
        var mark = fields.Begin(4);
        HistogramMessage.Write(fields, histogram);
        fields.End(mark);
    }

    /// <summary>Adds a metadata entry to the request.</summary>
    public void AddMetadata(MetricType type, ReadOnlySpan<byte> familyName, ReadOnlySpan<byte> help, ReadOnlySpan<byte> unit)
    {
        var metadata = fields.Begin(3);
        fields.Varint64(1, (ulong)type);
        fields.Bytes(2, familyName);
        fields.Bytes(4, help);
        fields.Bytes(5, unit);
        fields.End(metadata);
    }

    /// <inheritdoc/>
    public void Dispose() => fields.Dispose();
}
