using System.Buffers;
using System.IO.Pipelines;
using Metrics.Model;
using Metrics.PromQL;
using Metrics.Wire;

namespace Metrics.Gateway.QueryApi;

/// <summary>The JSON of results and label sets, flushed as it grows, so that an answer of any size takes little memory. Making it takes the tenant's share of the processors; sending it does not.</summary>
internal static class SeriesJson
{
    /// <summary>Bytes after which what was written goes to the network.</summary>
    private const int FlushBytes = 64 * 1024;

    /// <summary>Writes the series of a vector (one point each) or of a matrix.</summary>
    public static async ValueTask WriteSeriesAsync(PipeWriter to, IReadOnlyList<ResultSeries> series, bool isMatrix, TenantId tenant, CancellationToken cancellation)
    {
        JsonFields.Raw(to, "["u8);
        for (var i = 0; i < series.Count;)
        {
            using (await ProcessorShares.OfProcess.EnterAsync(tenant, ProcessorUse.Query, cancellation))
            {
                for (; i < series.Count && to.UnflushedBytes < FlushBytes; i++)
                {
                    WriteSeries(to, series[i], isMatrix, i == 0);
                }
            }

            await FlushIfLargeAsync(to, cancellation);
        }

        JsonFields.Raw(to, "]"u8);
    }

    /// <summary>Writes a list of label sets.</summary>
    public static async ValueTask WriteLabelSetsAsync(PipeWriter to, IEnumerable<Labels> labelSets, TenantId tenant, CancellationToken cancellation)
    {
        using var all = labelSets.GetEnumerator();
        var isFirst = true;
        JsonFields.Raw(to, "["u8);
        for (var isMore = all.MoveNext(); isMore;)
        {
            using (await ProcessorShares.OfProcess.EnterAsync(tenant, ProcessorUse.Query, cancellation))
            {
                for (; isMore && to.UnflushedBytes < FlushBytes; isMore = all.MoveNext())
                {
                    JsonFields.Raw(to, isFirst ? ""u8 : ","u8);
                    isFirst = false;
                    PrometheusJson.WriteLabels(to, all.Current);
                }
            }

            await FlushIfLargeAsync(to, cancellation);
        }

        JsonFields.Raw(to, "]"u8);
    }

    private static void WriteSeries(PipeWriter to, ResultSeries series, bool isMatrix, bool isFirst)
    {
        JsonFields.Raw(to, isFirst ? "{\"metric\":"u8 : ",{\"metric\":"u8);
        PrometheusJson.WriteLabels(to, series.Labels);
        if (isMatrix)
        {
            WriteMatrixPoints(to, series.Points);
        }
        else
        {
            WriteVectorPoint(to, series.Points);
        }

        JsonFields.Raw(to, "}"u8);
    }

    private static void WriteVectorPoint(IBufferWriter<byte> to, SampleBuffer points)
    {
        if (points.HasHistograms && points.Histograms[0] is { } histogram)
        {
            JsonFields.Raw(to, ",\"histogram\":"u8);
            WriteHistogram(to, points.Times[0], histogram);
            return;
        }

        JsonFields.Raw(to, ",\"value\":"u8);
        PrometheusJson.WritePoint(to, points.Times[0], points.Values[0]);
    }

    private static void WriteMatrixPoints(IBufferWriter<byte> to, SampleBuffer points)
    {
        if (!points.HasHistograms)
        {
            if (points.Count > 0)
            {
                JsonFields.Raw(to, ",\"values\":["u8);
                PrometheusJson.WritePoints(to, points.Times, points.Values);
                JsonFields.Raw(to, "]"u8);
            }

            return;
        }

        WriteMixed(to, points, wantHistograms: false);
        WriteMixed(to, points, wantHistograms: true);
    }

    private static void WriteMixed(IBufferWriter<byte> to, SampleBuffer points, bool wantHistograms)
    {
        var isFirst = true;
        for (var i = 0; i < points.Count; i++)
        {
            var histogram = points.Histograms[i];
            if (histogram is not null != wantHistograms)
            {
                continue;
            }

            JsonFields.Raw(to, !isFirst ? ","u8 : wantHistograms ? ",\"histograms\":["u8 : ",\"values\":["u8);
            isFirst = false;
            if (histogram is null)
            {
                PrometheusJson.WritePoint(to, points.Times[i], points.Values[i]);
            }
            else
            {
                WriteHistogram(to, points.Times[i], histogram);
            }
        }

        JsonFields.Raw(to, isFirst ? ""u8 : "]"u8);
    }

    private static void WriteHistogram(IBufferWriter<byte> to, long timeMs, FloatHistogram histogram) =>
        PrometheusJson.WriteHistogramPoint(to, timeMs, histogram);

    private static async ValueTask FlushIfLargeAsync(PipeWriter to, CancellationToken cancellation)
    {
        if (to.UnflushedBytes >= FlushBytes)
        {
            await to.FlushAsync(cancellation);
        }
    }
}
