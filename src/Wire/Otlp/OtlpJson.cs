using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Metrics.Wire;

/// <summary>Turns an <c>ExportMetricsServiceRequest</c> in OTLP's JSON into the same message in protobuf, so that one reader serves both.</summary>
/// <remarks>
/// Rules: opentelemetry.io/docs/specs/otlp, JSON Protobuf Encoding: keys in lowerCamelCase, 64-bit integers as text or numbers, enums as numbers (their names are taken too), ids in
/// hexadecimal, other bytes in base 64. Unknown keys and nulls are skipped.
/// </remarks>
public static class OtlpJson
{
    private static readonly JsonReaderOptions readerOptions = new() { MaxDepth = 64 };

    /// <summary>Adds the message to what <paramref name="to"/> holds.</summary>
    /// <exception cref="WireFormatException">It is no JSON, or not that message, or takes more than <paramref name="maxBytes"/>; what was written until then is worthless.</exception>
    public static void Convert(ReadOnlySpan<byte> json, ProtobufWriter to, int maxBytes)
    {
        var reader = new Utf8JsonReader(json, readerOptions);
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                throw Refused(ref reader, "want an object");
            }

            WriteMessage(ref reader, OtlpJsonSchema.Request, to, maxBytes);
            if (reader.Read())
            {
                throw Refused(ref reader, "want nothing behind the object");
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The reader says "invalid operation" when a string is no UTF-8 or holds half a surrogate pair.
            throw new WireFormatException(WireError.BadTag, reader.BytesConsumed, $"otlp json: {e.Message}");
        }
    }

    private static void WriteMessage(ref Utf8JsonReader reader, OtlpJsonSchema.Message message, ProtobufWriter to, int maxBytes)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var field = message.Find(ref reader);
            reader.Read();
            if (field is null)
            {
                reader.Skip();
            }
            else if (reader.TokenType == JsonTokenType.StartArray && field.IsRepeated)
            {
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                {
                    WriteField(ref reader, field, to, maxBytes);
                }
            }
            else if (reader.TokenType != JsonTokenType.Null)
            {
                WriteField(ref reader, field, to, maxBytes);
            }
        }
    }

    private static void WriteField(ref Utf8JsonReader reader, OtlpJsonSchema.Field field, ProtobufWriter to, int maxBytes)
    {
        if (to.Written.Length > maxBytes)
        {
            throw new WireFormatException(WireError.TooLarge, reader.TokenStartIndex, $"otlp json: the message takes more than {maxBytes} bytes");
        }

        switch (field.Kind)
        {
            case OtlpJsonSchema.Kind.Message:
                Expect(ref reader, JsonTokenType.StartObject, field);
                var mark = to.Begin(field.Number);
                WriteMessage(ref reader, field.Content!, to, maxBytes);
                to.End(mark);
                break;
            case OtlpJsonSchema.Kind.Text:
                Expect(ref reader, JsonTokenType.String, field);
                WriteText(ref reader, field, to);
                break;
            case OtlpJsonSchema.Kind.Hex or OtlpJsonSchema.Kind.Base64:
                Expect(ref reader, JsonTokenType.String, field);
                WriteBytes(ref reader, field, to);
                break;
            case OtlpJsonSchema.Kind.Bool:
                to.Varint64(field.Number, reader.TokenType is JsonTokenType.True or JsonTokenType.False ? (reader.GetBoolean() ? 1UL : 0) : throw Refused(ref reader, field, "true or false"));
                break;
            case OtlpJsonSchema.Kind.Double:
                to.Double(field.Number, ReadDouble(ref reader, field));
                break;
            case OtlpJsonSchema.Kind.Fixed64:
                to.Fixed64(field.Number, ReadInteger(ref reader, field));
                break;
            case OtlpJsonSchema.Kind.Signed:
                to.ZigZag(field.Number, (long)ReadInteger(ref reader, field));
                break;
            case OtlpJsonSchema.Kind.Temporality:
                to.Varint64(field.Number, ReadTemporality(ref reader, field));
                break;
            default:
                to.Varint64(field.Number, ReadInteger(ref reader, field));
                break;
        }
    }

    private static void WriteText(ref Utf8JsonReader reader, OtlpJsonSchema.Field field, ProtobufWriter to)
    {
        if (!reader.ValueIsEscaped)
        {
            to.Bytes(field.Number, reader.ValueSpan);
            return;
        }

        to.Bytes(field.Number, Encoding.UTF8.GetBytes(reader.GetString()!));
    }

    private static void WriteBytes(ref Utf8JsonReader reader, OtlpJsonSchema.Field field, ProtobufWriter to)
    {
        var text = reader.GetString()!;
        try
        {
            to.Bytes(field.Number, field.Kind == OtlpJsonSchema.Kind.Hex ? System.Convert.FromHexString(text) : System.Convert.FromBase64String(text));
        }
        catch (FormatException)
        {
            throw Refused(ref reader, field, field.Kind == OtlpJsonSchema.Kind.Hex ? "hexadecimal digits" : "base 64");
        }
    }

    private static double ReadDouble(ref Utf8JsonReader reader, OtlpJsonSchema.Field field)
    {
        if (reader.TokenType == JsonTokenType.Number)
        {
            return reader.GetDouble();
        }

        Expect(ref reader, JsonTokenType.String, field);
        var text = reader.GetString()!;
        return text switch
        {
            "NaN" => double.NaN,
            "Infinity" => double.PositiveInfinity,
            "-Infinity" => double.NegativeInfinity,
            _ => double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out var value)
                ? value
                : throw Refused(ref reader, field, "a number"),
        };
    }

    /// <summary>An integer of 64 bits, signed or not, as its bits.</summary>
    private static ulong ReadInteger(ref Utf8JsonReader reader, OtlpJsonSchema.Field field)
    {
        if (reader.TokenType is not (JsonTokenType.Number or JsonTokenType.String))
        {
            throw Refused(ref reader, field, "an integer");
        }

        var digits = reader.ValueSpan;
        if (Utf8Parser.TryParse(digits, out ulong unsigned, out var read) && read == digits.Length)
        {
            return unsigned;
        }

        if (Utf8Parser.TryParse(digits, out long signed, out read) && read == digits.Length)
        {
            return (ulong)signed;
        }

        // Some senders write whole numbers as 1e3 or 2.0.
        return reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out var value) && value == Math.Floor(value) && Math.Abs(value) < 1L << 53
            ? (ulong)(long)value
            : throw Refused(ref reader, field, "an integer of 64 bits");
    }

    private static ulong ReadTemporality(ref Utf8JsonReader reader, OtlpJsonSchema.Field field) =>
        reader.TokenType != JsonTokenType.String ? ReadInteger(ref reader, field)
        : reader.ValueTextEquals("AGGREGATION_TEMPORALITY_CUMULATIVE"u8) ? 2
        : reader.ValueTextEquals("AGGREGATION_TEMPORALITY_DELTA"u8) ? 1
        : reader.ValueTextEquals("AGGREGATION_TEMPORALITY_UNSPECIFIED"u8) ? 0
        : ReadInteger(ref reader, field);

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType want, OtlpJsonSchema.Field field)
    {
        if (reader.TokenType != want)
        {
            throw Refused(ref reader, field, want == JsonTokenType.StartObject ? "an object" : "a string");
        }
    }

    private static WireFormatException Refused(ref Utf8JsonReader reader, OtlpJsonSchema.Field field, string want) => Refused(ref reader, $"{field.Name}: want {want}");

    private static WireFormatException Refused(ref Utf8JsonReader reader, string what) => new(WireError.BadTag, reader.TokenStartIndex, $"otlp json: {what}");
}
