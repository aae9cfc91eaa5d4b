using Metrics.Model;

namespace Metrics.Wire;

/// <summary>Encodes the fields of the <c>Histogram</c> message; <see cref="HistogramField"/> is its reader.</summary>
internal static class HistogramMessage
{
    public static void Write(ProtobufWriter fields, HistogramSample histogram)
    {
        if (histogram.IsFloat)
        {
            fields.Double(2, histogram.CountFloat);
        }
        else
        {
            fields.Varint64(1, histogram.CountInteger);
        }

        fields.Double(3, histogram.Sum);
        fields.ZigZag(4, histogram.Schema);
        fields.Double(5, histogram.ZeroThreshold);
        if (histogram.IsFloat)
        {
            fields.Double(7, histogram.ZeroCountFloat);
        }
        else
        {
            fields.Varint64(6, histogram.ZeroCountInteger);
        }

        WriteSpans(fields, 8, histogram.NegativeSpans);
        WriteDeltas(fields, 9, histogram.NegativeDeltas);
        WriteDoubles(fields, 10, histogram.NegativeCounts);
        WriteSpans(fields, 11, histogram.PositiveSpans);
        WriteDeltas(fields, 12, histogram.PositiveDeltas);
        WriteDoubles(fields, 13, histogram.PositiveCounts);
        fields.Varint64(14, (ulong)histogram.CounterResetHint);
        fields.Varint64(15, (ulong)histogram.TimestampMs);
        WriteDoubles(fields, 16, histogram.CustomValues);
        if (histogram.StartTimestampMs != 0)
        {
            fields.Varint64(17, (ulong)histogram.StartTimestampMs);
        }
    }

    private static void WriteSpans(ProtobufWriter fields, int field, HistogramSpan[] spans)
    {
        foreach (var span in spans)
        {
            var mark = fields.Begin(field);
            fields.ZigZag(1, span.Offset);
            fields.Varint64(2, span.Length);
            fields.End(mark);
        }
    }

    private static void WriteDeltas(ProtobufWriter fields, int field, long[] deltas)
    {
        if (deltas.Length == 0)
        {
            return;
        }

        var mark = fields.Begin(field);
        foreach (var delta in deltas)
        {
            fields.RawZigZag(delta);
        }

        fields.End(mark);
    }

    private static void WriteDoubles(ProtobufWriter fields, int field, double[] values)
    {
        if (values.Length == 0)
        {
            return;
        }

        var mark = fields.Begin(field);
        foreach (var value in values)
        {
            fields.RawDouble(value);
        }

        fields.End(mark);
    }
}
