namespace Metrics.Wire;

/// <summary>One attribute: <c>KeyValue { string key = 1; AnyValue value = 2; }</c>.</summary>
public readonly ref struct OtlpAttribute
{
    internal OtlpAttribute(ReadOnlySpan<byte> message, int origin)
    {
        var fields = new ProtobufReader(message, origin);
        while (fields.TryReadTag(out var field, out var type))
        {
            if (field is not (1 or 2))
            {
                fields.Skip(type);
                continue;
            }

            fields.Expect(WireType.Bytes, type, field);
            var content = fields.ReadBytes();
            if (field == 1)
            {
                Key = content;
            }
            else
            {
                Value = new OtlpValue(content, fields.Offset - content.Length);
            }
        }
    }

    /// <summary>The name; may be anything, empty and no text included.</summary>
    public ReadOnlySpan<byte> Key { get; }

    /// <summary>The value.</summary>
    public OtlpValue Value { get; }
}

/// <summary>Walks attributes; keys are the sender's, in any order and perhaps twice.</summary>
public ref struct OtlpAttributeEnumerator
{
    private SubmessageEnumerator attributes;

    internal OtlpAttributeEnumerator(ReadOnlySpan<byte> message, int origin, int field) => attributes = new SubmessageEnumerator(message, origin, field);

    /// <summary>The attribute at the cursor; decoded now, so ask once.</summary>
    public readonly OtlpAttribute Current => new(attributes.Current, attributes.CurrentOffset);

    /// <summary>Steps to the next attribute; false at the end.</summary>
    public bool MoveNext() => attributes.MoveNext();

    /// <summary>Makes the enumerator usable in <c>foreach</c>.</summary>
    public readonly OtlpAttributeEnumerator GetEnumerator() => this;
}
