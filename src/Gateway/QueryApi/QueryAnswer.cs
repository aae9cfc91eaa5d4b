using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Metrics.Model;
using Metrics.PromQL;
using Metrics.Wire;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.Gateway.QueryApi;

/// <summary>How long a query waited and ran.</summary>
internal readonly record struct QueryTimings(TimeSpan Queued, TimeSpan Evaluated);

/// <summary>The answer to a query: <c>resultType</c>, <c>result</c> and, when asked for, <c>stats</c>.</summary>
internal static class QueryAnswer
{
    /// <summary>Makes the answer; <paramref name="owner"/> is disposed when it was written.</summary>
    public static ApiAnswer Of(QueryResult result, IDisposable owner, QueryRequest query, string stats, QueryTimings timings)
    {
        IReadOnlyList<string> warnings = stats is "" or "true" or "all"
            ? result.Warnings
            : [.. result.Warnings, $"value {LabelsText.Quote(stats)} for parameter \"stats\" is deprecated and will be rejected in the next major release, use \"true\" or \"all\""];
        return new ApiAnswer((writer, cancellation) => WriteAsync(writer, result, query, stats.Length > 0 ? timings : null, cancellation), owner)
        {
            Warnings = warnings,
            Infos = result.Infos,
        };
    }

    private static async ValueTask WriteAsync(PipeWriter to, QueryResult result, QueryRequest query, QueryTimings? timings, CancellationToken cancellation)
    {
        JsonFields.Raw(to, """{"resultType":"""u8);
        JsonFields.String(to, TypeText(result.Type));
        JsonFields.Raw(to, ",\"result\":"u8);
        switch (result.Type)
        {
            case ValueType.Scalar:
                PrometheusJson.WriteScalar(to, result.Series[0].Points.Times[0], result.Series[0].Points.Values[0]);
                break;
            case ValueType.String:
                PrometheusJson.WriteStringResult(to, result.TimeMs, Encoding.UTF8.GetBytes(result.Text ?? ""));
                break;
            default:
                await SeriesJson.WriteSeriesAsync(to, result.Series, query.IsRange || result.Type == ValueType.Matrix, query.Tenant, cancellation);
                break;
        }

        if (timings is { } known)
        {
            WriteStats(to, result.Statistics, query.Grid, known);
        }

        if (result.Analysis is { } analysis)
        {
            JsonFields.Raw(to, ",\"analysis\":"u8);
            AnalysisJson.Write(to, analysis);
        }

        JsonFields.Raw(to, "}"u8);
    }

    private static void WriteStats(IBufferWriter<byte> to, QueryStatistics statistics, TimeGrid grid, QueryTimings timings)
    {
        // Parts of a range query that were evaluated side by side can have taken more than the time that passed.
        var prepared = statistics.Preparation < timings.Evaluated ? statistics.Preparation : timings.Evaluated;
        var sorted = statistics.Sorting < timings.Evaluated - prepared ? statistics.Sorting : timings.Evaluated - prepared;
        Encoding.UTF8.GetBytes(
            $$$"""
            ,"stats":{"timings":{"evalTotalTime":{{{Seconds(timings.Evaluated)}}},"resultSortTime":{{{Seconds(sorted)}}},"queryPreparationTime":{{{Seconds(prepared)}}},"innerEvalTime":{{{Seconds(timings.Evaluated - prepared - sorted)}}},"execQueueTime":{{{Seconds(timings.Queued)}}},"execTotalTime":{{{Seconds(timings.Queued + timings.Evaluated)}}}},"samples":{
            """,
            to);
        WriteSteps(to, "totalQueryableSamplesPerStep", statistics.TotalQueryableSamplesPerStep, grid);
        JsonFields.Raw(to, "\"totalQueryableSamples\":"u8);
        JsonFields.Number(to, statistics.TotalQueryableSamples);
        JsonFields.Raw(to, ","u8);
        WriteSteps(to, "samplesReadPerStep", statistics.SamplesReadPerStep, grid);
        JsonFields.Raw(to, "\"samplesRead\":"u8);
        JsonFields.Number(to, statistics.SamplesRead);
        JsonFields.Raw(to, ",\"peakSamples\":"u8);
        JsonFields.Number(to, statistics.PeakSamples);
        JsonFields.Raw(to, "}}"u8);
    }

    private static void WriteSteps(IBufferWriter<byte> to, string name, IReadOnlyList<long>? steps, TimeGrid grid)
    {
        if (steps is null)
        {
            return;
        }

        JsonFields.String(to, name);
        for (var step = 0; step < steps.Count; step++)
        {
            JsonFields.Raw(to, step == 0 ? ":[["u8 : "],["u8);
            Encoding.UTF8.GetBytes((grid.At(step) / 1000.0).ToString("0.###", CultureInfo.InvariantCulture), to);
            JsonFields.Raw(to, ","u8);
            JsonFields.Number(to, steps[step]);
        }

        JsonFields.Raw(to, "]],"u8);
    }

    private static string Seconds(TimeSpan span) => span.TotalSeconds.ToString("0.#########", CultureInfo.InvariantCulture);

    private static string TypeText(ValueType type) => type switch
    {
        ValueType.Scalar => "scalar",
        ValueType.String => "string",
        ValueType.Matrix => "matrix",
        _ => "vector",
    };
}
