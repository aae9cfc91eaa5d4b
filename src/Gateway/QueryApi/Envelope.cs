using System.Buffers;
using System.IO.Pipelines;

namespace Metrics.Gateway.QueryApi;

/// <summary>The outer JSON of every answer of the API.</summary>
internal static class Envelope
{
    /// <summary>Remarks of each kind that are shown, as in Prometheus; the rest is counted.</summary>
    private const int MaxRemarks = 10;

    /// <summary>Writes an answer.</summary>
    public static async ValueTask WriteSuccessAsync(PipeWriter to, ApiAnswer answer, CancellationToken cancellation)
    {
        JsonFields.Raw(to, """{"status":"success","data":"""u8);
        await answer.WriteDataAsync(to, cancellation);
        WriteRemarks(to, "warnings", "warning", answer.Warnings);
        WriteRemarks(to, "infos", "info", answer.Infos);
        JsonFields.Raw(to, "}"u8);
    }

    /// <summary>Writes an error.</summary>
    public static void WriteError(IBufferWriter<byte> to, ApiException error)
    {
        JsonFields.Raw(to, """{"status":"error","errorType":"""u8);
        JsonFields.String(to, error.TypeText);
        JsonFields.Raw(to, ",\"error\":"u8);
        JsonFields.String(to, error.Message);
        JsonFields.Raw(to, "}"u8);
    }

    private static void WriteRemarks(IBufferWriter<byte> to, string field, string kind, IReadOnlyList<string> remarks)
    {
        if (remarks.Count == 0)
        {
            return;
        }

        JsonFields.Raw(to, ","u8);
        JsonFields.String(to, field);
        JsonFields.Raw(to, ":"u8);
        JsonFields.Strings(to, remarks.Count <= MaxRemarks ? remarks : [.. remarks.Take(MaxRemarks), $"{remarks.Count - MaxRemarks} more {kind} annotations omitted"]);
    }
}
