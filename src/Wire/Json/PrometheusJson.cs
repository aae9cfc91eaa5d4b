using System.Buffers;
using System.Buffers.Text;
using Metrics.Model;

namespace Metrics.Wire;

/// <summary>Writes the pieces of Prometheus's HTTP API answers, byte for byte as Prometheus 3.x does.</summary>
/// <remarks>
/// Sources: <c>web/api/v1/json_codec.go</c> and <c>util/jsonutil/marshal.go</c> for vectors and matrices, <c>promql/value.go</c> for scalars and strings.
/// Every method appends to the writer and allocates nothing. Enclosing brackets and commas between elements are the caller's.
/// </remarks>
public static class PrometheusJson
{
    // A timestamp is at most 21 bytes and a value in the JSON layout at most 28.
    private const int MaxPointBytes = 64;

    private const int MaxTimestampBytes = 24;

    /// <summary>Writes milliseconds as seconds: <c>1435781430.781</c>, without a fraction when it is zero, else always three digits of it.</summary>
    public static void WriteTimestamp(IBufferWriter<byte> output, long timestampMs)
    {
        var span = output.GetSpan(MaxTimestampBytes);
        output.Advance(PutTimestamp(span, timestampMs));
    }

    /// <summary>Writes a sample value, quoted: <c>"1.5"</c>, <c>"NaN"</c>, <c>"+Inf"</c>; with an exponent below 1e-6 and from 1e21.</summary>
    public static void WriteValue(IBufferWriter<byte> output, double value)
    {
        var span = output.GetSpan(MaxPointBytes);
        output.Advance(PutValue(span, value));
    }

    /// <summary>Writes a sample: <c>[1435781430.781,"1"]</c>.</summary>
    public static void WritePoint(IBufferWriter<byte> output, long timestampMs, double value)
    {
        var span = output.GetSpan(MaxPointBytes);
        span[0] = (byte)'[';
        var at = 1 + PutTimestamp(span[1..], timestampMs);
        span[at++] = (byte)',';
        at += PutValue(span[at..], value);
        span[at++] = (byte)']';
        output.Advance(at);
    }

    /// <summary>Writes the samples of a series with commas between, without the enclosing brackets; parallel columns.</summary>
    public static void WritePoints(IBufferWriter<byte> output, ReadOnlySpan<long> timesMs, ReadOnlySpan<double> values)
    {
        for (var i = 0; i < timesMs.Length; i++)
        {
            if (i > 0)
            {
                output.Write(","u8);
            }

            WritePoint(output, timesMs[i], values[i]);
        }
    }

    /// <summary>
    /// Writes a scalar result: <c>[1435781430.781,"1"]</c>. Unlike a sample's, its value never has an exponent and its time drops trailing zeros of the fraction.
    /// </summary>
    public static void WriteScalar(IBufferWriter<byte> output, long timestampMs, double value)
    {
        var span = output.GetSpan(GoFloat.MaxBytes + MaxPointBytes);
        span[0] = (byte)'[';
        var at = 1 + GoFloat.FormatJson(timestampMs / 1000.0, span[1..]);
        ",\""u8.CopyTo(span[at..]);
        at += 2;
        at += GoFloat.FormatF(value, span[at..]);
        "\"]"u8.CopyTo(span[at..]);
        output.Advance(at + 2);
    }

    /// <summary>Writes a string result: <c>[1435781430.781,"text"]</c>.</summary>
    public static void WriteStringResult(IBufferWriter<byte> output, long timestampMs, ReadOnlySpan<byte> utf8)
    {
        output.Write("["u8);
        var span = output.GetSpan(GoFloat.MaxBytes);
        output.Advance(GoFloat.FormatJson(timestampMs / 1000.0, span));
        output.Write(","u8);
        JsonText.WriteString(output, utf8);
        output.Write("]"u8);
    }

    /// <summary>Writes a label object: <c>{"__name__":"up","job":"api"}</c>.</summary>
    public static void WriteLabels(IBufferWriter<byte> output, Labels labels) => WriteLabels(output, new LabelEnumerator(labels.Encoded));

    /// <summary>Writes the labels of a canonical form as an object.</summary>
    public static void WriteLabels(IBufferWriter<byte> output, LabelEnumerator labels)
    {
        var separator = "{"u8;
        foreach (var label in labels)
        {
            output.Write(separator);
            separator = ","u8;
            JsonText.WriteLabelText(output, label.Name);
            output.Write(":"u8);
            JsonText.WriteLabelText(output, label.Value);
        }

        output.Write(separator[0] == (byte)'{' ? "{}"u8 : "}"u8);
    }

    /// <summary>Writes a native histogram: <c>{"count":"3","sum":"4.5","buckets":[[0,"0.5","1","3"]]}</c>. Empty buckets are left out, and the list with them.</summary>
    public static void WriteHistogram(IBufferWriter<byte> output, FloatHistogram histogram)
    {
        output.Write("{\"count\":"u8);
        WriteValue(output, histogram.Count);
        output.Write(",\"sum\":"u8);
        WriteValue(output, histogram.Sum);
        var any = false;
        foreach (var bucket in histogram.AllBuckets())
        {
            if (bucket.Count == 0)
            {
                continue;
            }

            output.Write(any ? ","u8 : ",\"buckets\":["u8);
            any = true;
            WriteBucket(output, bucket);
        }

        output.Write(any ? "]}"u8 : "}"u8);
    }

    /// <summary>Writes a histogram sample: <c>[1435781430.781,{...}]</c>.</summary>
    public static void WriteHistogramPoint(IBufferWriter<byte> output, long timestampMs, FloatHistogram histogram)
    {
        output.Write("["u8);
        WriteTimestamp(output, timestampMs);
        output.Write(","u8);
        WriteHistogram(output, histogram);
        output.Write("]"u8);
    }

    private static void WriteBucket(IBufferWriter<byte> output, in HistogramBucket bucket)
    {
        // 0 is open below and closed above, 1 the reverse, 2 open, 3 closed.
        var boundaries = (bucket.LowerInclusive, bucket.UpperInclusive) switch
        {
            (false, true) => "[0,"u8,
            (true, false) => "[1,"u8,
            (false, false) => "[2,"u8,
            (true, true) => "[3,"u8,
        };
        output.Write(boundaries);
        WriteValue(output, bucket.Lower);
        output.Write(","u8);
        WriteValue(output, bucket.Upper);
        output.Write(","u8);
        WriteValue(output, bucket.Count);
        output.Write("]"u8);
    }

    private static int PutTimestamp(Span<byte> to, long timestampMs)
    {
        var at = 0;
        var magnitude = (ulong)timestampMs;
        if (timestampMs < 0)
        {
            to[at++] = (byte)'-';
            magnitude = unchecked(0 - magnitude);
        }

        var (seconds, fraction) = Math.DivRem(magnitude, 1000);
        Utf8Formatter.TryFormat(seconds, to[at..], out var written);
        at += written;
        if (fraction != 0)
        {
            to[at] = (byte)'.';
            to[at + 1] = (byte)('0' + (fraction / 100));
            to[at + 2] = (byte)('0' + (fraction / 10 % 10));
            to[at + 3] = (byte)('0' + (fraction % 10));
            at += 4;
        }

        return at;
    }

    private static int PutValue(Span<byte> to, double value)
    {
        to[0] = (byte)'"';
        var at = 1 + GoFloat.FormatJson(value, to[1..]);
        to[at] = (byte)'"';
        return at + 1;
    }
}
