using Metrics.Model;

namespace Metrics.Wire;

/// <summary>Walks the native histograms of a series, decoding each to an object. Histograms are rare and wide, so the object is not what costs.</summary>
public ref struct HistogramFieldEnumerator
{
    private readonly int histogramsField;
    private ProtobufReader fields;
    private int left;

    internal HistogramFieldEnumerator(ReadOnlySpan<byte> message, int origin, int histogramsField, int count)
    {
        this.histogramsField = histogramsField;
        fields = new ProtobufReader(message, origin);
        left = count;
        Current = null!;
    }

    /// <summary>The histogram at the cursor, owned by the caller.</summary>
    public HistogramSample Current { get; private set; }

    /// <summary>Steps to the next histogram; false at the end.</summary>
    public bool MoveNext()
    {
        while (left > 0 && fields.TryReadTag(out var field, out var type))
        {
            if (field != histogramsField)
            {
                fields.Skip(type);
                continue;
            }

            left--;
            var histogram = fields.ReadBytes();
            Current = HistogramField.Read(histogram, fields.Offset - histogram.Length);
            return true;
        }

        return false;
    }

    /// <summary>Makes the enumerator usable in <c>foreach</c>.</summary>
    public readonly HistogramFieldEnumerator GetEnumerator() => this;
}

/// <summary>
/// Decodes the <c>Histogram</c> message, which both versions of remote write share; 2.0 adds <c>start_timestamp = 17</c>. Arrays may be packed, as
/// senders write them, or one element a field; both forms append. The memory taken is a small multiple of the message.
/// </summary>
internal static class HistogramField
{
    public static HistogramSample Read(ReadOnlySpan<byte> message, int origin)
    {
        var sample = new HistogramSample();
        Column<HistogramSpan> negativeSpans = default, positiveSpans = default;
        Column<long> negativeDeltas = default, positiveDeltas = default;
        Column<double> negativeCounts = default, positiveCounts = default, customValues = default;
        var fields = new ProtobufReader(message, origin);
        while (fields.TryReadTag(out var field, out var type))
        {
            switch (field)
            {
                case 1:
                    fields.Expect(WireType.Varint, type, field);
                    sample.CountInteger = fields.ReadVarint();
                    sample.IsFloat = false;
                    break;
                case 2:
                    fields.Expect(WireType.Fixed64, type, field);
                    sample.CountFloat = fields.ReadDouble();
                    sample.IsFloat = true;
                    break;
                case 3:
                    fields.Expect(WireType.Fixed64, type, field);
                    sample.Sum = fields.ReadDouble();
                    break;
                case 4:
                    fields.Expect(WireType.Varint, type, field);
                    sample.Schema = unchecked((int)fields.ReadZigZag());
                    break;
                case 5:
                    fields.Expect(WireType.Fixed64, type, field);
                    sample.ZeroThreshold = fields.ReadDouble();
                    break;
                case 6:
                    fields.Expect(WireType.Varint, type, field);
                    sample.ZeroCountInteger = fields.ReadVarint();
                    break;
                case 7:
                    fields.Expect(WireType.Fixed64, type, field);
                    sample.ZeroCountFloat = fields.ReadDouble();
                    break;
                case 8:
                    fields.Expect(WireType.Bytes, type, field);
                    negativeSpans.Add(ReadSpan(ref fields));
                    break;
                case 9:
                    AppendDeltas(ref negativeDeltas, ref fields, type, field);
                    break;
                case 10:
                    AppendDoubles(ref negativeCounts, ref fields, type, field);
                    break;
                case 11:
                    fields.Expect(WireType.Bytes, type, field);
                    positiveSpans.Add(ReadSpan(ref fields));
                    break;
                case 12:
                    AppendDeltas(ref positiveDeltas, ref fields, type, field);
                    break;
                case 13:
                    AppendDoubles(ref positiveCounts, ref fields, type, field);
                    break;
                case 14:
                    fields.Expect(WireType.Varint, type, field);
                    var hint = fields.ReadVarint();
                    sample.CounterResetHint = hint <= (ulong)CounterResetHint.Gauge ? (CounterResetHint)hint : CounterResetHint.Unknown;
                    break;
                case 15:
                    fields.Expect(WireType.Varint, type, field);
                    sample.TimestampMs = (long)fields.ReadVarint();
                    break;
                case 16:
                    AppendDoubles(ref customValues, ref fields, type, field);
                    break;
                case 17 when type == WireType.Varint:
                    sample.StartTimestampMs = (long)fields.ReadVarint();
                    break;
                default:
                    fields.Skip(type);
                    break;
            }
        }

        sample.NegativeSpans = negativeSpans.ToArray();
        sample.NegativeDeltas = negativeDeltas.ToArray();
        sample.NegativeCounts = negativeCounts.ToArray();
        sample.PositiveSpans = positiveSpans.ToArray();
        sample.PositiveDeltas = positiveDeltas.ToArray();
        sample.PositiveCounts = positiveCounts.ToArray();
        sample.CustomValues = customValues.ToArray();
        return sample;
    }

    private static HistogramSpan ReadSpan(ref ProtobufReader fields)
    {
        var message = fields.ReadBytes();
        var inner = new ProtobufReader(message, fields.Offset - message.Length);
        var offset = 0;
        uint length = 0;
        while (inner.TryReadTag(out var field, out var type))
        {
            switch (field)
            {
                case 1:
                    inner.Expect(WireType.Varint, type, field);
                    offset = unchecked((int)inner.ReadZigZag());
                    break;
                case 2:
                    inner.Expect(WireType.Varint, type, field);
                    length = unchecked((uint)inner.ReadVarint());
                    break;
                default:
                    inner.Skip(type);
                    break;
            }
        }

        return new HistogramSpan(offset, length);
    }

    private static void AppendDeltas(ref Column<long> column, ref ProtobufReader fields, WireType type, int field)
    {
        if (type == WireType.Varint)
        {
            column.Add(fields.ReadZigZag());
            return;
        }

        fields.Expect(WireType.Bytes, type, field);
        var packed = fields.ReadBytes();
        var inner = new ProtobufReader(packed, fields.Offset - packed.Length);
        while (inner.Position < packed.Length)
        {
            column.Add(inner.ReadZigZag());
        }
    }

    private static void AppendDoubles(ref Column<double> column, ref ProtobufReader fields, WireType type, int field)
    {
        if (type == WireType.Fixed64)
        {
            column.Add(fields.ReadDouble());
            return;
        }

        fields.Expect(WireType.Bytes, type, field);
        var packed = fields.ReadBytes();
        var inner = new ProtobufReader(packed, fields.Offset - packed.Length);
        while (inner.Position < packed.Length)
        {
            column.Add(inner.ReadDouble());
        }
    }

    /// <summary>A growing array, so that elements sent one by one cost constant time each.</summary>
    private struct Column<T>
    {
        private T[]? items;
        private int count;

        public void Add(T item)
        {
            items ??= new T[8];
            if (count == items.Length)
            {
                Array.Resize(ref items, count * 2);
            }

            items[count++] = item;
        }

        public T[] ToArray()
        {
            if (items is null)
            {
                return [];
            }

            Array.Resize(ref items, count);
            return items;
        }
    }
}
