using System.Buffers;
using System.Buffers.Text;

namespace Metrics.Wire;

/// <summary>The value of an attribute, borrowed from the body.</summary>
/// <remarks>
/// <code>
/// AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
///                          ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7; } }
/// ArrayValue { repeated AnyValue values = 1; }   KeyValueList { repeated KeyValue values = 1; }
/// </code>
/// </remarks>
public readonly ref struct OtlpValue
{
    /// <summary>How deep arrays and maps may lie in each other; deeper ones are refused.</summary>
    public const int MaxDepth = 16;

    private readonly ReadOnlySpan<byte> content;
    private readonly int contentOrigin;
    private readonly ulong number;
    private readonly Form form;

    internal OtlpValue(ReadOnlySpan<byte> message, int origin)
    {
        var fields = new ProtobufReader(message, origin);
        while (fields.TryReadTag(out var field, out var type))
        {
            switch (field)
            {
                case 1 or 5 or 6 or 7:
                    fields.Expect(WireType.Bytes, type, field);
                    content = fields.ReadBytes();
                    contentOrigin = fields.Offset - content.Length;
                    form = (Form)field;
                    break;
                case 2 or 3:
                    fields.Expect(WireType.Varint, type, field);
                    number = fields.ReadVarint();
                    form = (Form)field;
                    break;
                case 4:
                    fields.Expect(WireType.Fixed64, type, field);
                    number = fields.ReadFixed64();
                    form = Form.Double;
                    break;
                default:
                    fields.Skip(type);
                    break;
            }
        }
    }

    private enum Form : byte
    {
        Empty = 0,
        Text = 1,
        Bool = 2,
        Integer = 3,
        Double = 4,
        Array = 5,
        Map = 6,
        Bytes = 7,
    }

    /// <summary>
    /// The value as the text of a label: text as it is, numbers in their shortest form, bytes in base 64, arrays and maps as JSON with keys in order, nothing as nothing.
    /// Text is a slice of the body; all else is written to <paramref name="scratch"/>, and holds until that is written again.
    /// </summary>
    /// <exception cref="WireFormatException">Malformed, or nested deeper than <see cref="MaxDepth"/>.</exception>
    public ReadOnlySpan<byte> ToText(ArrayBufferWriter<byte> scratch)
    {
        if (form is Form.Text or Form.Empty)
        {
            return content;
        }

        var start = scratch.WrittenCount;
        if (form == Form.Bytes)
        {
            WriteBase64(scratch, content);
        }
        else
        {
            WriteJson(scratch, 0);
        }

        return scratch.WrittenSpan[start..];
    }

    private void WriteJson(ArrayBufferWriter<byte> to, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new WireFormatException(WireError.NestedTooDeep, contentOrigin, $"otlp: an attribute is nested deeper than {MaxDepth}");
        }

        switch (form)
        {
            case Form.Text:
                JsonText.WriteString(to, content);
                break;
            case Form.Bool:
                to.Write(number != 0 ? "true"u8 : "false"u8);
                break;
            case Form.Integer:
                WriteInteger(to, (long)number);
                break;
            case Form.Double:
                WriteDouble(to, BitConverter.UInt64BitsToDouble(number));
                break;
            case Form.Array:
                WriteArray(to, depth);
                break;
            case Form.Map:
                WriteMap(to, depth);
                break;
            case Form.Bytes:
                to.Write("\""u8);
                WriteBase64(to, content);
                to.Write("\""u8);
                break;
            default:
                to.Write("null"u8);
                break;
        }
    }

    private void WriteArray(ArrayBufferWriter<byte> to, int depth)
    {
        to.Write("["u8);
        var first = true;
        var items = new SubmessageEnumerator(content, contentOrigin, 1);
        while (items.MoveNext())
        {
            to.Write(first ? ""u8 : ","u8);
            new OtlpValue(items.Current, items.CurrentOffset).WriteJson(to, depth + 1);
            first = false;
        }

        to.Write("]"u8);
    }

    private void WriteMap(ArrayBufferWriter<byte> to, int depth)
    {
        // Maps as labels are rare; of a key that comes twice the last value counts.
        var sorted = new SortedDictionary<string, (int Start, int Length)>(StringComparer.Ordinal);
        var items = new SubmessageEnumerator(content, contentOrigin, 1);
        while (items.MoveNext())
        {
            var key = new OtlpAttribute(items.Current, items.CurrentOffset).Key;
            sorted[System.Text.Encoding.UTF8.GetString(key)] = (items.CurrentOffset - contentOrigin, items.Current.Length);
        }

        to.Write("{"u8);
        var first = true;
        foreach (var (key, (start, length)) in sorted)
        {
            to.Write(first ? ""u8 : ","u8);
            JsonText.WriteString(to, key);
            to.Write(":"u8);
            new OtlpAttribute(content.Slice(start, length), contentOrigin + start).Value.WriteJson(to, depth + 1);
            first = false;
        }

        to.Write("}"u8);
    }

    private static void WriteInteger(ArrayBufferWriter<byte> to, long value)
    {
        Utf8Formatter.TryFormat(value, to.GetSpan(20), out var written);
        to.Advance(written);
    }

    private static void WriteDouble(ArrayBufferWriter<byte> to, double value)
    {
        var span = to.GetSpan(GoFloat.MaxBytes);
        var written = GoFloat.FormatJson(value, span);

        // JSON has 1e-7 where Go's number format has 1e-07.
        if (written >= 4 && span[written - 4] == 'e' && span[written - 3] == '-' && span[written - 2] == '0')
        {
            span[written - 2] = span[written - 1];
            written--;
        }

        to.Advance(written);
    }

    private static void WriteBase64(ArrayBufferWriter<byte> to, ReadOnlySpan<byte> bytes)
    {
        Base64.EncodeToUtf8(bytes, to.GetSpan(Base64.GetMaxEncodedToUtf8Length(bytes.Length)), out _, out var written);
        to.Advance(written);
    }
}
