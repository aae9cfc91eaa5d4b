using Metrics.Cluster;
using Metrics.Gateway.QueryApi;
using Metrics.Gateway.RemoteRead;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Model;

namespace Metrics.Gateway.Federation;

/// <summary><c>/federate</c>: the last sample of each selected series, as text or protobuf that another Prometheus scrapes.</summary>
/// <remarks>prometheus/prometheus web/federate.go: series of all selectors once, by name and labels; ended and nameless ones left out; the external labels that a series lacks, and <c>instance=""</c>
/// where there is none, so that the scraper does not put its own.</remarks>
internal sealed class FederationEndpoint(ApiEndpoint endpoint, ICluster cluster, PlainReads reads, Labels externalLabels, TimeSpan lookback, TimeProvider time)
{
    private const string Instance = "instance";

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes => [new(HttpRoute.Get, "/federate", "federate", endpoint.Of(AnswerAsync)) { Access = RouteAccess.Read }];

    private async ValueTask<ApiAnswer> AnswerAsync(ApiRequest request)
    {
        var selectors = LabelEndpoints.Selectors(request);
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var range = new TimeRange(now - (long)lookback.TotalMilliseconds + 1, now);
        var found = await reads.RunAsync(request, "federate", selectors, range, stop => FindAsync(request.Tenant, selectors, range, stop));
        request.Context.Response.Headers.Append("Vary", "Accept");
        return WantsProtobuf(request.Context.Request)
            ? ApiAnswer.Binary(FederationProtobuf.ContentType, FederationProtobuf.Write([.. found.Values]))
            : ApiAnswer.Text(FederationText.ContentType, FederationText.Write(found.Values));
    }

    private async ValueTask<SortedDictionary<(string Name, int Type, Labels Labels), FederatedSample>> FindAsync(TenantId id, IReadOnlyList<IReadOnlyList<Matcher>> selectors, TimeRange range, CancellationToken stop)
    {
        var found = new SortedDictionary<(string Name, int Type, Labels Labels), FederatedSample>();
        if (await cluster.FindTenantAsync(id, stop) is not { } tenant)
        {
            return found;
        }

        var count = new ReadCount(reads.BoundsOf(id));
        foreach (var selector in selectors)
        {
            await foreach (var series in TenantSeries.ReadAsync(tenant, selector, range, stop))
            {
                count.Add(series);
                if (Last(series) is { } last)
                {
                    found[(last.Name, last.Type, series.Labels)] = last;
                }
            }
        }

        reads.CountSamples(id, count.Samples);
        return found;
    }

    /// <summary>True when delimited protobuf is accepted, and more gladly than any text.</summary>
    private static bool WantsProtobuf(HttpRequest request)
    {
        var (protobuf, text) = (0.0, 0.0);
        foreach (var range in request.GetTypedHeaders().Accept)
        {
            var quality = range.Quality ?? 1;
            if (!range.MediaType.Equals("application/vnd.google.protobuf", StringComparison.OrdinalIgnoreCase))
            {
                text = Math.Max(text, quality);
            }
            else if (range.Parameters.Any(static p => p.Name.Equals("encoding", StringComparison.OrdinalIgnoreCase) && p.Value.Equals("delimited", StringComparison.OrdinalIgnoreCase)))
            {
                protobuf = Math.Max(protobuf, quality);
            }
        }

        return protobuf > 0 && protobuf >= text;
    }

    private FederatedSample? Last(RawSeries series)
    {
        var samples = series.Samples;
        var at = samples.Count - 1;
        if (at < 0 || series.Labels[Labels.MetricName] is not { Length: > 0 } name)
        {
            return null;
        }

        var histogram = samples.HasHistograms ? samples.Histograms[at] : null;
        return StaleMarker.Is(histogram?.Sum ?? samples.Values[at]) ? null : new FederatedSample(name, Labelled(series.Labels), samples.Times[at], samples.Values[at], histogram);
    }

    private List<KeyValuePair<string, string>> Labelled(Labels own)
    {
        var labels = own.Where(static l => l.Key != Labels.MetricName).ToList();
        labels.AddRange(externalLabels.Where(l => own[l.Key].Length == 0));
        if (own[Instance].Length == 0 && externalLabels[Instance].Length == 0)
        {
            labels.Add(new(Instance, ""));
        }

        return labels;
    }
}
