using System.Globalization;
using System.Text;
using Metrics.Gateway.Otlp;
using Metrics.Gateway.RemoteWrite;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;

namespace Metrics.Gateway.TextImport;

/// <summary>Takes samples in Prometheus's text format, as VictoriaMetrics does: for scripts, and for whatever shows such a page.</summary>
/// <remarks>204 when every sample is durable; 202, 413, 415, 429 and 503 as for remote write; 400 when lines were wrong or samples refused for good, the rest being stored.</remarks>
internal sealed class TextImportEndpoint(WriteIntake intake, TimeProvider time, ILogger<TextImportEndpoint> logger)
{
    private const int ExtraLabelsMax = 32;

    /// <summary>The routes: VictoriaMetrics's.</summary>
    public IEnumerable<HttpRoute> Routes => [new(HttpRoute.Post, "/api/v1/import/prometheus", "import_text", AnswerAsync) { Access = RouteAccess.Write }];

    private Task AnswerAsync(HttpContext context) => WriteIntake.AnswerAsync(context, "text import", WriteAsync, RefuseAsync, logger);

    private async Task WriteAsync(HttpContext context)
    {
        var tenant = intake.Admit(context);
        var timeMs = time.GetUtcNow().ToUnixTimeMilliseconds();
        if (context.Request.Query["timestamp"].ToString() is { Length: > 0 } given && !long.TryParse(given, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out timeMs))
        {
            throw WriteRefusal.Malformed($"invalid timestamp \"{given}\": want milliseconds");
        }

        var import = new TextWrite(context.Request.ContentType?.StartsWith("application/openmetrics-text", StringComparison.OrdinalIgnoreCase) == true, ExtraLabels(context.Request.Query), timeMs);
        using var body = await intake.ReadAsync(context, tenant, OtlpMediaType.CompressionOf(context.Request.Headers));
        var (outcome, refusals) = await intake.AppendAsync(Caller.Of(context), tenant, import.Read, body.Message, body.SentBytes);
        var status = RejectionText.StatusOf(outcome, import.BadLines > 0);
        if (status < StatusCodes.Status400BadRequest)
        {
            context.Response.StatusCode = status;
            return;
        }

        var lines = import.BadLines == 0 ? "" : $"{import.BadLines} lines could not be read, first {import.FirstError}";
        await RefuseAsync(context, new WriteRefusal(status, string.Join("; ", new[] { lines, refusals }.Where(static t => t.Length > 0))));
    }

    private Task RefuseAsync(HttpContext context, WriteRefusal refusal)
    {
        intake.SetRetryAfter(context, refusal.Status, refusal.RetryAfter);
        return PlainText.AnswerAsync(context, refusal.Status, refusal.Message + "\n");
    }

    private static List<(byte[] Name, byte[] Value)> ExtraLabels(IQueryCollection query)
    {
        var labels = new List<(byte[], byte[])>();
        foreach (var text in query["extra_label"])
        {
            var equals = text?.IndexOf('=', StringComparison.Ordinal) ?? -1;
            if (equals <= 0 || labels.Count == ExtraLabelsMax)
            {
                throw WriteRefusal.Malformed($"invalid extra_label \"{text}\": want NAME=VALUE, {ExtraLabelsMax} at most");
            }

            labels.Add((Encoding.UTF8.GetBytes(text![..equals]), Encoding.UTF8.GetBytes(text[(equals + 1)..])));
        }

        return labels;
    }
}
