using System.Text;
using Metrics.Model;

namespace Metrics.Wire;

/// <summary>How a remote read is answered; the numbers are the protocol's.</summary>
public enum ReadResponseType
{
    /// <summary>All samples in one message.</summary>
    Samples = 0,

    /// <summary>Chunks, in a stream of messages.</summary>
    StreamedXorChunks = 1,
}

/// <summary>One query of a remote read.</summary>
/// <param name="Range">The samples wanted, both ends inclusive.</param>
/// <param name="Matchers">Conditions, all of which must hold.</param>
public sealed record ReadQuery(TimeRange Range, IReadOnlyList<Matcher> Matchers);

/// <summary>A decoded <c>prometheus.ReadRequest</c>.</summary>
/// <remarks>
/// <code>
/// ReadRequest  { repeated Query queries = 1; repeated ResponseType accepted_response_types = 2; }
/// Query        { int64 start_timestamp_ms = 1; int64 end_timestamp_ms = 2; repeated LabelMatcher matchers = 3; ReadHints hints = 4; }
/// LabelMatcher { Type type = 1; string name = 2; string value = 3; }
/// </code>
/// prometheus/prometheus prompb/remote.proto and types.proto. The hints say what the caller will do with the samples; all of them are sent.
/// </remarks>
/// <param name="Queries">The queries.</param>
/// <param name="Response">The first of the answers that the caller accepts; samples when it names none.</param>
public sealed record ReadRequest(IReadOnlyList<ReadQuery> Queries, ReadResponseType Response)
{
    /// <summary>Decodes a message.</summary>
    /// <exception cref="FormatException">It is malformed, or a matcher is none.</exception>
    public static ReadRequest Read(ReadOnlySpan<byte> message)
    {
        var queries = new List<ReadQuery>();
        ReadResponseType? accepted = null;
        var fields = new ProtobufReader(message);
        while (fields.TryReadTag(out var field, out var type))
        {
            switch (field)
            {
                case 1:
                    fields.Expect(WireType.Bytes, type, field);
                    var query = fields.ReadBytes();
                    queries.Add(ReadQuery(query, fields.Offset - query.Length));
                    break;
                case 2 when type == WireType.Bytes:
                    // Packed, as proto3 writes repeated numbers.
                    for (var packed = fields.ReadBytes(); !packed.IsEmpty;)
                    {
                        var one = Known(Varint.Read(ref packed));
                        accepted ??= one;
                    }

                    break;
                case 2:
                    fields.Expect(WireType.Varint, type, field);
                    var answer = Known(fields.ReadVarint());
                    accepted ??= answer;
                    break;
                default:
                    fields.Skip(type);
                    break;
            }
        }

        return new ReadRequest(queries, accepted ?? ReadResponseType.Samples);
    }

    private static ReadResponseType? Known(ulong number) => number is (ulong)ReadResponseType.Samples or (ulong)ReadResponseType.StreamedXorChunks ? (ReadResponseType)number : null;

    private static ReadQuery ReadQuery(ReadOnlySpan<byte> message, int origin)
    {
        long start = 0, end = 0;
        var matchers = new List<Matcher>();
        var fields = new ProtobufReader(message, origin);
        while (fields.TryReadTag(out var field, out var type))
        {
            switch (field)
            {
                case 1:
                    fields.Expect(WireType.Varint, type, field);
                    start = (long)fields.ReadVarint();
                    break;
                case 2:
                    fields.Expect(WireType.Varint, type, field);
                    end = (long)fields.ReadVarint();
                    break;
                case 3:
                    fields.Expect(WireType.Bytes, type, field);
                    var matcher = fields.ReadBytes();
                    matchers.Add(ReadMatcher(matcher, fields.Offset - matcher.Length));
                    break;
                default:
                    fields.Skip(type);
                    break;
            }
        }

        return new ReadQuery(new TimeRange(start, end), matchers);
    }

    private static Matcher ReadMatcher(ReadOnlySpan<byte> message, int origin)
    {
        ulong kind = 0;
        string name = "", value = "";
        var fields = new ProtobufReader(message, origin);
        while (fields.TryReadTag(out var field, out var type))
        {
            switch (field)
            {
                case 1:
                    fields.Expect(WireType.Varint, type, field);
                    kind = fields.ReadVarint();
                    break;
                case 2:
                    fields.Expect(WireType.Bytes, type, field);
                    name = Encoding.UTF8.GetString(fields.ReadBytes());
                    break;
                case 3:
                    fields.Expect(WireType.Bytes, type, field);
                    value = Encoding.UTF8.GetString(fields.ReadBytes());
                    break;
                default:
                    fields.Skip(type);
                    break;
            }
        }

        // EQ, NEQ, RE, NRE, in this order.
        var match = kind switch
        {
            0 => Model.MatchType.Equal,
            1 => Model.MatchType.NotEqual,
            2 => Model.MatchType.Regex,
            3 => Model.MatchType.NotRegex,
            _ => throw new FormatException($"remote read: matcher type {kind} is not known; want 0 (=), 1 (!=), 2 (=~) or 3 (!~)"),
        };
        try
        {
            return new Matcher(match, name, value);
        }
        catch (ArgumentException e)
        {
            throw new FormatException($"remote read: matcher of label \"{name}\": {e.Message}", e);
        }
    }
}
