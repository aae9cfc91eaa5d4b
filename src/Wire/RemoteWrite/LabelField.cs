namespace Metrics.Wire;

/// <summary>One label as sent: any bytes, either may be empty.</summary>
public readonly ref struct LabelField(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
{
    /// <summary>The name; not checked to be UTF-8.</summary>
    public ReadOnlySpan<byte> Name { get; } = name;

    /// <summary>The value; not checked to be UTF-8.</summary>
    public ReadOnlySpan<byte> Value { get; } = value;
}

/// <summary>Walks the labels of a message: <c>Label { string name = 1; string value = 2; }</c>. Of a field sent twice, the last counts.</summary>
public ref struct LabelFieldEnumerator
{
    private readonly int labelField;
    private ProtobufReader fields;

    internal LabelFieldEnumerator(ReadOnlySpan<byte> message, int origin, int labelField)
    {
        this.labelField = labelField;
        fields = new ProtobufReader(message, origin);
    }

    /// <summary>The label at the cursor.</summary>
    public LabelField Current { get; private set; }

    /// <summary>Steps to the next label; false at the end.</summary>
    public bool MoveNext()
    {
        while (fields.TryReadTag(out var field, out var type))
        {
            if (field != labelField)
            {
                fields.Skip(type);
                continue;
            }

            fields.Expect(WireType.Bytes, type, field);
            var label = fields.ReadBytes();
            Current = ReadLabel(label, fields.Offset - label.Length);
            return true;
        }

        return false;
    }

    /// <summary>Makes the enumerator usable in <c>foreach</c>.</summary>
    public readonly LabelFieldEnumerator GetEnumerator() => this;

    private static LabelField ReadLabel(ReadOnlySpan<byte> label, int origin)
    {
        ReadOnlySpan<byte> name = default;
        ReadOnlySpan<byte> value = default;
        var inner = new ProtobufReader(label, origin);
        while (inner.TryReadTag(out var field, out var type))
        {
            switch (field)
            {
                case 1:
                    inner.Expect(WireType.Bytes, type, field);
                    name = inner.ReadBytes();
                    break;
                case 2:
                    inner.Expect(WireType.Bytes, type, field);
                    value = inner.ReadBytes();
                    break;
                default:
                    inner.Skip(type);
                    break;
            }
        }

        return new LabelField(name, value);
    }
}
