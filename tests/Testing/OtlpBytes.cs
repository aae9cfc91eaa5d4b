using System.Buffers.Binary;
using System.Text;

namespace Metrics.Testing;

/// <summary>Makes OTLP messages byte by byte, independently of the code under test.</summary>
public static class OtlpBytes
{
    public static byte[] Request(params byte[][] resources) => Repeat(1, resources);

    public static byte[] Resource(byte[][] attributes, params byte[][] scopes) => [.. Field(1, Repeat(1, attributes)), .. Repeat(2, scopes)];

    public static byte[] Scope(string name, params byte[][] metrics) => [.. Field(1, Field(1, Text(name))), .. Repeat(2, metrics)];

    public static byte[] Scope(string name, string version, string schema, byte[][] attributes, params byte[][] metrics) =>
        [.. Field(1, [.. Field(1, Text(name)), .. Field(2, Text(version)), .. Repeat(3, attributes)]), .. Repeat(2, metrics), .. Field(3, Text(schema))];

    public static byte[] Gauge(string name, string unit, params byte[][] points) => Metric(name, unit, 5, Repeat(1, points));

    public static byte[] Sum(string name, string unit, int temporality, bool monotonic, params byte[][] points) =>
        Metric(name, unit, 7, [.. Repeat(1, points), .. Varint(2, (ulong)temporality), .. Varint(3, monotonic ? 1UL : 0)]);

    public static byte[] Histogram(string name, string unit, int temporality, params byte[][] points) => Metric(name, unit, 9, [.. Repeat(1, points), .. Varint(2, (ulong)temporality)]);

    public static byte[] Exponential(string name, string unit, int temporality, params byte[][] points) => Metric(name, unit, 10, [.. Repeat(1, points), .. Varint(2, (ulong)temporality)]);

    public static byte[] Summary(string name, string unit, params byte[][] points) => Metric(name, unit, 11, Repeat(1, points));

    public static byte[] Number(long timeMs, double value, byte[][] attributes, uint flags = 0, params byte[][] exemplars) =>
        [.. Fixed(3, (ulong)timeMs * 1_000_000), .. Double(4, value), .. Repeat(7, attributes), .. flags == 0 ? [] : Varint(8, flags), .. Repeat(5, exemplars)];

    public static byte[] Integer(long timeMs, long value, params byte[][] attributes) => [.. Repeat(7, attributes), .. Fixed(3, (ulong)timeMs * 1_000_000), .. Fixed(6, (ulong)value)];

    public static byte[] HistogramPoint(long timeMs, ulong count, double? sum, ulong[] counts, double[] bounds, byte[][] attributes, uint flags = 0, params byte[][] exemplars) =>
    [
        .. Repeat(9, attributes), .. Fixed(3, (ulong)timeMs * 1_000_000), .. Fixed(4, count), .. sum is { } s ? Double(5, s) : [],
        .. Field(6, [.. counts.SelectMany(Raw)]), .. Field(7, [.. bounds.SelectMany(b => Raw(BitConverter.DoubleToUInt64Bits(b)))]), .. Varint(10, flags), .. Repeat(8, exemplars),
    ];

    public static byte[] ExponentialPoint(
        long timeMs, ulong count, double sum, int scale, ulong zeroCount, (int Offset, ulong[] Counts) positive, (int Offset, ulong[] Counts) negative, byte[][] attributes, uint flags = 0, double zeroThreshold = 0) =>
    [
        .. Repeat(1, attributes), .. Fixed(3, (ulong)timeMs * 1_000_000), .. Fixed(4, count), .. Double(5, sum), .. Varint(6, Zigzag(scale)), .. Fixed(7, zeroCount),
        .. Field(8, Buckets(positive)), .. Field(9, Buckets(negative)), .. Varint(10, flags), .. zeroThreshold == 0 ? [] : Double(14, zeroThreshold),
    ];

    public static byte[] SummaryPoint(long timeMs, ulong count, double sum, (double Quantile, double Value)[] quantiles, params byte[][] attributes) =>
    [
        .. Fixed(3, (ulong)timeMs * 1_000_000), .. Fixed(4, count), .. Double(5, sum),
        .. Repeat(6, [.. quantiles.Select(q => (byte[])[.. Double(1, q.Quantile), .. Double(2, q.Value)])]), .. Repeat(7, attributes),
    ];

    public static byte[] Exemplar(long timeMs, double value, byte[] traceId, byte[] spanId, params byte[][] attributes) =>
        [.. Fixed(2, (ulong)timeMs * 1_000_000), .. Double(3, value), .. Field(4, spanId), .. Field(5, traceId), .. Repeat(7, attributes)];

    /// <summary>Attributes of text, as <c>a=b,c=d</c>.</summary>
    public static byte[][] Attributes(string pairs) => [.. pairs.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(p => Attribute(p.Split('=')[0], TextValue(p.Split('=')[1])))];

    public static byte[] Attribute(string key, byte[] value) => [.. Field(1, Text(key)), .. Field(2, value)];

    public static byte[] TextValue(string text) => Field(1, Text(text));

    public static byte[] BoolValue(bool value) => Varint(2, value ? 1UL : 0);

    public static byte[] IntegerValue(long value) => Varint(3, (ulong)value);

    public static byte[] DoubleValue(double value) => Double(4, value);

    public static byte[] ArrayValue(params byte[][] values) => Field(5, Repeat(1, values));

    public static byte[] MapValue(params byte[][] pairs) => Field(6, Repeat(1, pairs));

    public static byte[] BytesValue(params byte[] value) => Field(7, value);

    public static byte[] Field(int number, byte[] content) => [.. Vary((ulong)((number << 3) | 2)), .. Vary((ulong)content.Length), .. content];

    public static byte[] Varint(int number, ulong value) => [.. Vary((ulong)(number << 3)), .. Vary(value)];

    public static byte[] Double(int number, double value) => Fixed(number, BitConverter.DoubleToUInt64Bits(value));

    public static byte[] Fixed(int number, ulong value) => [.. Vary((ulong)((number << 3) | 1)), .. Raw(value)];

    private static byte[] Metric(string name, string unit, int kind, byte[] data) => [.. Field(1, Text(name)), .. Field(2, Text("About " + name)), .. Field(3, Text(unit)), .. Field(kind, data)];

    private static byte[] Buckets((int Offset, ulong[] Counts) side) => [.. Varint(1, Zigzag(side.Offset)), .. Field(2, [.. side.Counts.SelectMany(Vary)])];

    private static ulong Zigzag(int value) => (ulong)(uint)((value << 1) ^ (value >> 31));

    private static byte[] Repeat(int number, byte[][] contents) => [.. contents.SelectMany(c => Field(number, c))];

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    private static byte[] Vary(ulong value)
    {
        Span<byte> bytes = stackalloc byte[Model.Varint.MaxBytes];
        return bytes[..Model.Varint.Write(bytes, value)].ToArray();
    }

    private static byte[] Raw(ulong value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return bytes;
    }
}
