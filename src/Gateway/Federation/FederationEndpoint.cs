using System.Globalization;
using System.Text;
using Metrics.Cluster;
using Metrics.Gateway.QueryApi;
using Metrics.Gateway.RemoteRead;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Model;

namespace Metrics.Gateway.Federation;

/// <summary><c>/federate</c>: the last sample of each selected series, as text that another Prometheus scrapes.</summary>
/// <remarks>prometheus/prometheus web/federate.go: series of all selectors once, by name and labels; ended ones and native histograms left out; <c>instance=""</c> where there is none, so that the
/// scraper does not put its own.</remarks>
internal sealed class FederationEndpoint(ApiEndpoint endpoint, ICluster cluster, TimeSpan lookback, TimeProvider time)
{
    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes => [new(HttpRoute.Get, "/federate", "federate", endpoint.Of(AnswerAsync)) { Access = RouteAccess.Read }];

    private async ValueTask<ApiAnswer> AnswerAsync(ApiRequest request)
    {
        var selectors = LabelEndpoints.Selectors(request);
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var range = new TimeRange(now - (long)lookback.TotalMilliseconds + 1, now);
        var found = new SortedDictionary<(string Name, Labels Labels), (long TimeMs, double Value)>();
        if (await cluster.FindTenantAsync(request.Tenant, request.Aborted) is { } tenant)
        {
            foreach (var selector in selectors)
            {
                await foreach (var series in TenantSeries.ReadAsync(tenant, selector, range, request.Aborted))
                {
                    if (Last(series.Samples) is { } last)
                    {
                        found[(series.Labels[Labels.MetricName], series.Labels)] = last;
                    }
                }
            }
        }

        return ApiAnswer.Text("text/plain; version=0.0.4; charset=utf-8", Write(found));
    }

    private static (long TimeMs, double Value)? Last(SampleBuffer samples)
    {
        var at = samples.Count - 1;
        return at < 0 || (samples.HasHistograms && samples.Histograms[at] is not null) || StaleMarker.Is(samples.Values[at]) ? null : (samples.Times[at], samples.Values[at]);
    }

    private static string Write(SortedDictionary<(string Name, Labels Labels), (long TimeMs, double Value)> found)
    {
        var text = new StringBuilder();
        var family = "";
        foreach (var ((name, labels), (timeMs, value)) in found)
        {
            if (name != family)
            {
                text.Append("# TYPE ").Append(name).Append(" untyped\n");
                family = name;
            }

            text.Append(name).Append('{');
            var hasInstance = false;
            foreach (var (label, labelValue) in labels.Where(l => l.Key != Labels.MetricName))
            {
                hasInstance |= label == "instance";
                text.Append(label).Append("=\"").Append(labelValue.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)).Append("\",");
            }

            text.Append(hasInstance ? "" : "instance=\"\",").Length--;
            text.Append("} ").Append(ValueText(value)).Append(' ').Append(timeMs.ToString(CultureInfo.InvariantCulture)).Append('\n');
        }

        return text.ToString();
    }

    private static string ValueText(double value) =>
        double.IsNaN(value) ? "NaN" : double.IsPositiveInfinity(value) ? "+Inf" : double.IsNegativeInfinity(value) ? "-Inf" : value.ToString("R", CultureInfo.InvariantCulture);
}
