namespace Metrics.Wire;

/// <summary>Walks the occurrences of one length-delimited field of a message, in the order sent; everything else is skipped.</summary>
internal ref struct SubmessageEnumerator
{
    private readonly int wanted;
    private ProtobufReader fields;

    public SubmessageEnumerator(ReadOnlySpan<byte> message, int origin, int wanted)
    {
        fields = new ProtobufReader(message, origin);
        this.wanted = wanted;
    }

    /// <summary>The content at the cursor.</summary>
    public ReadOnlySpan<byte> Current { get; private set; }

    /// <summary>Where the content starts, from the start of the outermost message.</summary>
    public readonly int CurrentOffset => fields.Offset - Current.Length;

    /// <summary>Steps to the next occurrence; false at the end.</summary>
    public bool MoveNext()
    {
        while (fields.TryReadTag(out var field, out var type))
        {
            if (field != wanted)
            {
                fields.Skip(type);
                continue;
            }

            fields.Expect(WireType.Bytes, type, field);
            Current = fields.ReadBytes();
            return true;
        }

        Current = default;
        return false;
    }
}
