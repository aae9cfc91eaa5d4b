using System.Buffers;
using System.Globalization;
using Metrics.PromQL;

namespace Metrics.Gateway.QueryApi;

/// <summary>The plan of a query as JSON, in the shape of Thanos (<c>analysis</c> of <c>query</c>, <c>data</c> of <c>query_explain</c>).</summary>
internal static class AnalysisJson
{
    /// <summary>Writes what operators took: <c>name</c>, <c>executionTime</c> (a duration as Go writes it), <c>seriesCount</c>, <c>peakSamples</c> and <c>totalSamples</c> where they are not 0, <c>children</c>.</summary>
    public static void Write(IBufferWriter<byte> to, OperatorReport report)
    {
        JsonFields.Raw(to, "{\"name\":"u8);
        JsonFields.String(to, report.Name);
        JsonFields.Raw(to, ",\"executionTime\":"u8);
        JsonFields.String(to, GoDuration(report.Time));
        Number(to, ",\"seriesCount\":"u8, report.Series);
        Number(to, ",\"peakSamples\":"u8, report.PeakSamples);
        Number(to, ",\"totalSamples\":"u8, report.Samples);
        Children(to, report.Children, Write);
        JsonFields.Raw(to, "}"u8);
    }

    /// <summary>Writes operators: <c>name</c> and <c>children</c>.</summary>
    public static void Write(IBufferWriter<byte> to, PlanOutline outline)
    {
        JsonFields.Raw(to, "{\"name\":"u8);
        JsonFields.String(to, outline.Name);
        Children(to, outline.Children, Write);
        JsonFields.Raw(to, "}"u8);
    }

    /// <summary>A duration as Go's <c>Duration.String</c> writes it: <c>1.5ms</c>, <c>2m3.5s</c>.</summary>
    public static string GoDuration(TimeSpan time)
    {
        var ns = time.Ticks * 100.0;
        return ns == 0 ? "0s"
            : ns < 1e6 ? Text(ns / 1e3, "µs")
            : ns < 1e9 ? Text(ns / 1e6, "ms")
            : time < TimeSpan.FromMinutes(1) ? Text(ns / 1e9, "s")
            : time < TimeSpan.FromHours(1) ? $"{(long)time.TotalMinutes}m{Text(ns / 1e9 % 60, "s")}"
            : $"{(long)time.TotalHours}h{time.Minutes}m{Text(ns / 1e9 % 60, "s")}";

        static string Text(double value, string unit) => value.ToString("0.#########", CultureInfo.InvariantCulture) + unit;
    }

    private static void Children<T>(IBufferWriter<byte> to, IReadOnlyList<T> children, Action<IBufferWriter<byte>, T> write)
    {
        if (children.Count > 0)
        {
            JsonFields.Raw(to, ",\"children\":["u8);
            for (var i = 0; i < children.Count; i++)
            {
                JsonFields.Raw(to, i == 0 ? ""u8 : ","u8);
                write(to, children[i]);
            }

            JsonFields.Raw(to, "]"u8);
        }
    }

    private static void Number(IBufferWriter<byte> to, ReadOnlySpan<byte> field, long number)
    {
        if (number != 0)
        {
            JsonFields.Raw(to, field);
            JsonFields.Number(to, number);
        }
    }
}
