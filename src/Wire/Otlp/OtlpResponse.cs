using System.Buffers;
using System.Globalization;

namespace Metrics.Wire;

/// <summary>Answers of OTLP, in protobuf or JSON.</summary>
public static class OtlpResponse
{
    /// <summary>
    /// <c>ExportMetricsServiceResponse { ExportMetricsPartialSuccess partial_success = 1; }</c> with <c>{ int64 rejected_data_points = 1; string error_message = 2; }</c>, which is left
    /// out when nothing was rejected and there is nothing to say.
    /// </summary>
    public static byte[] Success(bool asJson, long rejectedPoints, string message)
    {
        if (rejectedPoints == 0 && message.Length == 0)
        {
            return asJson ? "{}"u8.ToArray() : [];
        }

        if (asJson)
        {
            var text = Text(message);
            return System.Text.Encoding.UTF8.GetBytes($"{{\"partialSuccess\":{{\"rejectedDataPoints\":\"{rejectedPoints.ToString(CultureInfo.InvariantCulture)}\",\"errorMessage\":{text}}}}}");
        }

        using var fields = new ProtobufWriter();
        var mark = fields.Begin(1);
        if (rejectedPoints != 0)
        {
            fields.Varint64(1, (ulong)rejectedPoints);
        }

        fields.Bytes(2, System.Text.Encoding.UTF8.GetBytes(message));
        fields.End(mark);
        return fields.Written.ToArray();
    }

    /// <summary><c>google.rpc.Status { int32 code = 1; string message = 2; }</c>, for every answer that is not a success.</summary>
    /// <param name="asJson">JSON, else protobuf.</param>
    /// <param name="code">A status code of gRPC.</param>
    /// <param name="message">What is wrong.</param>
    public static byte[] Status(bool asJson, int code, string message)
    {
        if (asJson)
        {
            return System.Text.Encoding.UTF8.GetBytes($"{{\"code\":{code.ToString(CultureInfo.InvariantCulture)},\"message\":{Text(message)}}}");
        }

        using var fields = new ProtobufWriter();
        fields.Varint64(1, (ulong)code);
        fields.Bytes(2, System.Text.Encoding.UTF8.GetBytes(message));
        return fields.Written.ToArray();
    }

    /// <summary>The same in protobuf with a <c>google.rpc.RetryInfo { Duration retry_delay = 1; }</c> among its details (3, an <c>Any</c>): the sender may come back then.</summary>
    public static byte[] Status(int code, string message, TimeSpan retryDelay)
    {
        using var fields = new ProtobufWriter();
        fields.Raw(Status(asJson: false, code, message));
        var any = fields.Begin(3);
        fields.Bytes(1, "type.googleapis.com/google.rpc.RetryInfo"u8);
        var info = fields.Begin(2);
        var delay = fields.Begin(1);
        fields.Varint64(1, (ulong)retryDelay.TotalSeconds);
        fields.End(delay);
        fields.End(info);
        fields.End(any);
        return fields.Written.ToArray();
    }

    private static string Text(string message)
    {
        var buffer = new ArrayBufferWriter<byte>();
        JsonText.WriteString(buffer, message);
        return System.Text.Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
