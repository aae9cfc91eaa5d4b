using System.Text;
using System.Text.Json;

namespace Metrics.Wire;

/// <summary>The messages of OTLP metrics as their JSON names them: key, field number and kind.</summary>
internal static class OtlpJsonSchema
{
    private static readonly Message anyValue = new();
    private static readonly Message keyValue = new(new("key", 1, Kind.Text), new("value", 2, anyValue));
    private static readonly Message exemplar = new(
        new("timeUnixNano", 2, Kind.Fixed64), new("asDouble", 3, Kind.Double), new("spanId", 4, Kind.Hex), new("traceId", 5, Kind.Hex), new("asInt", 6, Kind.Fixed64),
        new("filteredAttributes", 7, keyValue, true));

    private static readonly Message numberPoint = new(
        new("startTimeUnixNano", 2, Kind.Fixed64), new("timeUnixNano", 3, Kind.Fixed64), new("asDouble", 4, Kind.Double), new("exemplars", 5, exemplar, true),
        new("asInt", 6, Kind.Fixed64), new("attributes", 7, keyValue, true), new("flags", 8, Kind.Unsigned));

    private static readonly Message histogramPoint = new(
        new("startTimeUnixNano", 2, Kind.Fixed64), new("timeUnixNano", 3, Kind.Fixed64), new("count", 4, Kind.Fixed64), new("sum", 5, Kind.Double),
        new("bucketCounts", 6, Kind.Fixed64, true), new("explicitBounds", 7, Kind.Double, true), new("exemplars", 8, exemplar, true),
        new("attributes", 9, keyValue, true), new("flags", 10, Kind.Unsigned));

    private static readonly Message buckets = new(new("offset", 1, Kind.Signed), new("bucketCounts", 2, Kind.Unsigned, true));

    private static readonly Message exponentialPoint = new(
        new("attributes", 1, keyValue, true), new("startTimeUnixNano", 2, Kind.Fixed64), new("timeUnixNano", 3, Kind.Fixed64), new("count", 4, Kind.Fixed64),
        new("sum", 5, Kind.Double), new("scale", 6, Kind.Signed), new("zeroCount", 7, Kind.Fixed64), new("positive", 8, buckets), new("negative", 9, buckets),
        new("flags", 10, Kind.Unsigned), new("exemplars", 11, exemplar, true), new("zeroThreshold", 14, Kind.Double));

    private static readonly Message summaryPoint = new(
        new("startTimeUnixNano", 2, Kind.Fixed64), new("timeUnixNano", 3, Kind.Fixed64), new("count", 4, Kind.Fixed64), new("sum", 5, Kind.Double),
        new("quantileValues", 6, new Message(new Field("quantile", 1, Kind.Double), new("value", 2, Kind.Double)), true),
        new("attributes", 7, keyValue, true), new("flags", 8, Kind.Unsigned));

    private static readonly Message metric = new(
        new("name", 1, Kind.Text), new("description", 2, Kind.Text), new("unit", 3, Kind.Text),
        new("gauge", 5, new Message(new Field("dataPoints", 1, numberPoint, true))),
        new("sum", 7, new Message(new Field("dataPoints", 1, numberPoint, true), new("aggregationTemporality", 2, Kind.Temporality), new("isMonotonic", 3, Kind.Bool))),
        new("histogram", 9, new Message(new Field("dataPoints", 1, histogramPoint, true), new("aggregationTemporality", 2, Kind.Temporality))),
        new("exponentialHistogram", 10, new Message(new Field("dataPoints", 1, exponentialPoint, true), new("aggregationTemporality", 2, Kind.Temporality))),
        new("summary", 11, new Message(new Field("dataPoints", 1, summaryPoint, true))));

    static OtlpJsonSchema() => anyValue.Define(
        new("stringValue", 1, Kind.Text), new("boolValue", 2, Kind.Bool), new("intValue", 3, Kind.Unsigned), new("doubleValue", 4, Kind.Double),
        new("arrayValue", 5, new Message(new Field("values", 1, anyValue, true))), new("kvlistValue", 6, new Message(new Field("values", 1, keyValue, true))), new("bytesValue", 7, Kind.Base64));

    /// <summary>What a JSON value stands for.</summary>
    internal enum Kind
    {
        /// <summary>A submessage.</summary>
        Message,

        /// <summary>Text.</summary>
        Text,

        /// <summary>Bytes as hexadecimal digits.</summary>
        Hex,

        /// <summary>Bytes in base 64.</summary>
        Base64,

        /// <summary>A truth value.</summary>
        Bool,

        /// <summary>A double.</summary>
        Double,

        /// <summary>An integer that is sent as eight bytes.</summary>
        Fixed64,

        /// <summary>An integer that is sent as a varint.</summary>
        Unsigned,

        /// <summary>An integer that is sent as a zigzag varint.</summary>
        Signed,

        /// <summary>The one enum.</summary>
        Temporality,
    }

    /// <summary>The outermost message.</summary>
    public static Message Request { get; } = new(new Field(
        "resourceMetrics",
        1,
        new Message(
            new("resource", 1, new Message(new Field("attributes", 1, keyValue, true))),
            new("scopeMetrics", 2, new Message(
                new("scope", 1, new Message(new Field("name", 1, Kind.Text), new("version", 2, Kind.Text), new("attributes", 3, keyValue, true))),
                new("metrics", 2, metric, true),
                new("schemaUrl", 3, Kind.Text)), true)),
        true));

    /// <summary>A message: its fields.</summary>
    internal sealed class Message(params Field[] fields)
    {
        private Field[] fields = fields;

        /// <summary>Gives a message that contains itself its fields.</summary>
        public void Define(params Field[] own) => fields = own;

        /// <summary>The field that the property name at the cursor stands for; null when there is none.</summary>
        public Field? Find(ref Utf8JsonReader reader)
        {
            foreach (var field in fields)
            {
                if (reader.ValueTextEquals(field.Utf8Name))
                {
                    return field;
                }
            }

            return null;
        }
    }

    /// <summary>A field of a message.</summary>
    internal sealed class Field
    {
        public Field(string name, int number, Kind kind, bool isRepeated = false)
        {
            Name = name;
            Utf8Name = Encoding.UTF8.GetBytes(name);
            Number = number;
            Kind = kind;
            IsRepeated = isRepeated;
        }

        public Field(string name, int number, Message content, bool isRepeated = false)
            : this(name, number, Kind.Message, isRepeated) => Content = content;

        /// <summary>Its key.</summary>
        public string Name { get; }

        /// <summary>Its key, for comparison.</summary>
        public byte[] Utf8Name { get; }

        /// <summary>Its number in protobuf.</summary>
        public int Number { get; }

        /// <summary>What its value stands for.</summary>
        public Kind Kind { get; }

        /// <summary>The message it holds; null when its kind is another.</summary>
        public Message? Content { get; }

        /// <summary>True when its value is an array.</summary>
        public bool IsRepeated { get; }
    }
}
