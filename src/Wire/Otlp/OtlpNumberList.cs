namespace Metrics.Wire;

/// <summary>A repeated field of numbers, packed or not, borrowed from a message.</summary>
public readonly ref struct OtlpNumberList
{
    private readonly ReadOnlySpan<byte> message;
    private readonly int origin;
    private readonly int wanted;
    private readonly bool isFixed;

    internal OtlpNumberList(ReadOnlySpan<byte> message, int origin, int wanted, bool isFixed)
    {
        this.message = message;
        this.origin = origin;
        this.wanted = wanted;
        this.isFixed = isFixed;
    }

    /// <summary>Decodes the numbers into <paramref name="to"/>, which grows as needed; gives how many there are.</summary>
    /// <exception cref="WireFormatException">Malformed, or more than <paramref name="limit"/>.</exception>
    public int CopyTo(ref ulong[] to, int limit)
    {
        var count = 0;
        var fields = new ProtobufReader(message, origin);
        while (fields.TryReadTag(out var field, out var type))
        {
            if (field != wanted)
            {
                fields.Skip(type);
            }
            else if (type == WireType.Bytes)
            {
                var packed = fields.ReadBytes();
                var inner = new ProtobufReader(packed, fields.Offset - packed.Length);
                while (inner.Position < packed.Length)
                {
                    Add(isFixed ? inner.ReadFixed64() : inner.ReadVarint(), ref to, ref count, limit);
                }
            }
            else
            {
                fields.Expect(isFixed ? WireType.Fixed64 : WireType.Varint, type, field);
                Add(isFixed ? fields.ReadFixed64() : fields.ReadVarint(), ref to, ref count, limit);
            }
        }

        return count;
    }

    private void Add(ulong number, ref ulong[] to, ref int count, int limit)
    {
        if (count == limit)
        {
            throw new WireFormatException(WireError.TooLarge, origin, $"otlp: a histogram has more than {limit} buckets");
        }

        if (count == to.Length)
        {
            Array.Resize(ref to, Math.Max(64, count * 2));
        }

        to[count++] = number;
    }
}
