using System.Buffers.Binary;

namespace Metrics.Wire;

/// <summary>One float sample as sent.</summary>
/// <param name="TimestampMs">Unix milliseconds.</param>
/// <param name="Value">The value; the stale marker is one NaN, told by its bits.</param>
/// <param name="StartTimestampMs">Since when the counter counts, Unix milliseconds; 0 when unset, and always in remote write 1.0.</param>
public readonly record struct SampleField(long TimestampMs, double Value, long StartTimestampMs = 0);

/// <summary>
/// Walks the samples of a series: <c>Sample { double value = 1; int64 timestamp = 2; int64 start_timestamp = 3; }</c>, which are field 2 in both versions.
/// </summary>
public ref struct SampleFieldEnumerator
{
    private const int SamplesField = 2;
    private const byte SamplesTag = (SamplesField << 3) | (byte)WireType.Bytes;
    private const byte ValueTag = (1 << 3) | (byte)WireType.Fixed64;
    private const byte TimestampTag = (2 << 3) | (byte)WireType.Varint;

    // tag, length, tag, value, tag: what comes before the timestamp's varint in the usual encoding.
    private const int FixedBytes = 12;

    private readonly ReadOnlySpan<byte> message;
    private readonly int origin;
    private int position;
    private int left;

    internal SampleFieldEnumerator(ReadOnlySpan<byte> message, int origin, int start, int count)
    {
        this.message = message;
        this.origin = origin;
        position = start;
        left = count;
    }

    /// <summary>The sample at the cursor.</summary>
    public SampleField Current { get; private set; }

    /// <summary>Steps to the next sample; false at the end.</summary>
    public bool MoveNext()
    {
        if (left == 0)
        {
            return false;
        }

        left--;

        // Fast path: value, then timestamp, nothing else. Times of this century take six bytes, so a sample takes 18 with its header.
        var rest = message[position..];
        if (rest.Length >= FixedBytes + 6 && rest[0] == SamplesTag && rest[1] == FixedBytes + 6 - 2 && rest[2] == ValueTag && rest[11] == TimestampTag)
        {
            var low = BinaryPrimitives.ReadUInt32LittleEndian(rest[FixedBytes..]);
            uint high = BinaryPrimitives.ReadUInt16LittleEndian(rest[(FixedBytes + 4)..]);
            if ((low & 0x8080_8080) == 0x8080_8080 && (high & 0x8080) == 0x0080)
            {
                var time = (long)((low & 0x7F) | ((low >> 1) & 0x3F80) | ((low >> 2) & 0x1F_C000) | ((low >> 3) & 0xFE0_0000));
                time |= (long)((high & 0x7F) | ((high >> 1) & 0x3F80)) << 28;
                Current = new SampleField(time, BinaryPrimitives.ReadDoubleLittleEndian(rest[3..]));
                position += FixedBytes + 6;
                return true;
            }
        }

        ReadAnySample();
        return true;
    }

    /// <summary>Makes the enumerator usable in <c>foreach</c>.</summary>
    public readonly SampleFieldEnumerator GetEnumerator() => this;

    private void ReadAnySample()
    {
        var outer = new ProtobufReader(message[position..], origin + position);
        while (outer.TryReadTag(out var field, out var type))
        {
            if (field != SamplesField)
            {
                outer.Skip(type);
                continue;
            }

            outer.Expect(WireType.Bytes, type, field);
            var sample = outer.ReadBytes();
            position += outer.Position;
            Current = ReadSample(sample, outer.Offset - sample.Length);
            return;
        }
    }

    private static SampleField ReadSample(ReadOnlySpan<byte> sample, int origin)
    {
        var value = 0.0;
        long time = 0;
        long start = 0;
        var inner = new ProtobufReader(sample, origin);
        while (inner.TryReadTag(out var field, out var type))
        {
            switch (field)
            {
                case 1:
                    inner.Expect(WireType.Fixed64, type, field);
                    value = inner.ReadDouble();
                    break;
                case 2:
                    inner.Expect(WireType.Varint, type, field);
                    time = (long)inner.ReadVarint();
                    break;
                case 3 when type == WireType.Varint:
                    start = (long)inner.ReadVarint();
                    break;
                default:
                    inner.Skip(type);
                    break;
            }
        }

        return new SampleField(time, value, start);
    }
}
