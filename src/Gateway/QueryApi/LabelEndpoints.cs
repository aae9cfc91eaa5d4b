using System.Globalization;
using System.Text;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.FrontEnd;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Model;
using Metrics.PromQL;
using Metrics.PromQL.Parsing;

namespace Metrics.Gateway.QueryApi;

/// <summary><c>series</c>, <c>labels</c> and <c>label/NAME/values</c>: each shard answers for itself, and the sorted union is the answer.</summary>
internal sealed class LabelEndpoints(ApiEndpoint endpoint, LabelLookup labels, QueryOptions options)
{
    private const string Truncated = "results truncated due to limit";

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.GetPost, "/api/v1/series", "series", endpoint.Of(SeriesAsync)) { Access = RouteAccess.Read },
        new(HttpRoute.GetPost, "/api/v1/labels", "labels", endpoint.Of(LabelsAsync)) { Access = RouteAccess.Read },
        new(HttpRoute.Get, "/api/v1/label/{name}/values", "label_values", endpoint.Of(ValuesAsync)) { Access = RouteAccess.Read },
    ];

    private async ValueTask<ApiAnswer> SeriesAsync(ApiRequest request)
    {
        if (request.Parameters.All("match[]").Count == 0)
        {
            throw new ApiException(ApiErrorType.BadData, "no match[] parameter provided");
        }

        var (query, limit) = Read(request, message => ApiException.InvalidParameter("match[]", message));
        var replicaLabels = ReplicaChoice.Of(request.Parameters, options.ReplicaLabels).Labels;

        // Cut off before replicas become one, there could be too few.
        query = replicaLabels.Count > 0 ? query with { Limit = 0 } : query;
        var series = new SortedSet<Labels>();
        var missing = Missing(request);
        var (parts, lease) = await labels.AskAsync(request, "series", query, (shard, stop) => shard.SeriesAsync(query, stop), missing);
        foreach (var part in parts)
        {
            series.UnionWith(replicaLabels.Count > 0 ? part.Select(one => ReplicaSource.Without(one, replicaLabels)) : part);
        }

        var isTruncated = limit > 0 && series.Count > limit;
        var shown = isTruncated ? series.Take(limit) : series;
        return new ApiAnswer((writer, cancellation) => SeriesJson.WriteLabelSetsAsync(writer, shown, request.Tenant, cancellation), lease) { Warnings = Warnings(missing, isTruncated) };
    }

    private async ValueTask<ApiAnswer> LabelsAsync(ApiRequest request)
    {
        var (query, limit) = Read(request, message => new ApiException(ApiErrorType.BadData, message));
        var missing = Missing(request);
        return Names(await labels.AskAsync(request, "labels", query, (shard, stop) => shard.LabelNamesAsync(query, stop), missing), missing, limit);
    }

    private async ValueTask<ApiAnswer> ValuesAsync(ApiRequest request)
    {
        var name = (string)request.Context.Items[RequestPipeline.PathSegment]!;
        if (name.StartsWith("U__", StringComparison.Ordinal))
        {
            name = Unescape(name);
        }

        var (query, limit) = Read(request, message => new ApiException(ApiErrorType.BadData, message));
        var missing = Missing(request);
        return Names(await labels.AskAsync(request, $"values of {name}", query, (shard, stop) => shard.LabelValuesAsync(name, query, stop), missing), missing, limit);
    }

    /// <summary>The selectors in <c>match[]</c>.</summary>
    internal static IReadOnlyList<IReadOnlyList<Matcher>> Selectors(ApiRequest request) => Selectors(request.Parameters);

    /// <summary>The same of parameters that came another way.</summary>
    /// <exception cref="ApiException">One is no selector.</exception>
    internal static IReadOnlyList<IReadOnlyList<Matcher>> Selectors(RequestParameters parameters) =>
        [.. parameters.All("match[]").Select(text => ParseSelector(text, message => ApiException.InvalidParameter("match[]", message)))];

    private static (LabelQuery Query, int Limit) Read(ApiRequest request, Func<string, ApiException> badSelector)
    {
        var limit = request.Parameters.Limit();
        var range = new TimeRange(request.Parameters.TimeMs("start", TimeText.MinTimeMs), request.Parameters.TimeMs("end", TimeText.MaxTimeMs));
        var selectors = request.Parameters.All("match[]").Select(text => ParseSelector(text, badSelector)).ToList();

        // One more than asked for tells whether something was cut off.
        return (new LabelQuery(selectors, range, limit is > 0 and < int.MaxValue ? limit + 1 : limit), limit);
    }

    private static IReadOnlyList<Matcher> ParseSelector(string text, Func<string, ApiException> bad)
    {
        IReadOnlyList<Matcher> matchers;
        try
        {
            matchers = PromQLParser.ParseSelector(text);
        }
        catch (PromQLParseException e)
        {
            throw bad(e.Message);
        }

        return matchers.All(m => m.MatchesEmpty) ? throw bad("match[] must contain at least one non-empty matcher") : matchers;
    }

    /// <summary>Where it is noted why some shards don't answer, when the client is content with the others' answers; null when it is not.</summary>
    private PartialWarnings? Missing(ApiRequest request) => ReplicaChoice.Of(request.Parameters, options.ReplicaLabels).IsPartial ? new PartialWarnings() : null;

    private static IReadOnlyList<string> Warnings(PartialWarnings? missing, bool isTruncated) => [.. missing?.Texts ?? [], .. isTruncated ? [Truncated] : Array.Empty<string>()];

    private static ApiAnswer Names((IReadOnlyList<string>[] Parts, MemoryLease Lease) answered, PartialWarnings? missing, int limit)
    {
        var all = new SortedSet<string>(Utf8Order.Instance);
        foreach (var part in answered.Parts)
        {
            all.UnionWith(part);
        }

        var isTruncated = limit > 0 && all.Count > limit;
        string[] names = [.. isTruncated ? all.Take(limit) : all];
        return new ApiAnswer((writer, _) =>
        {
            JsonFields.Strings(writer, names);
            return ValueTask.CompletedTask;
        }, answered.Lease)
        { Warnings = Warnings(missing, isTruncated) };
    }

    /// <summary>Undoes the escaping of names that URLs cannot carry: <c>U__</c>, then <c>__</c> for <c>_</c> and <c>_2e_</c> for a code point in hex. What is malformed stays as it is.</summary>
    /// <remarks>prometheus/common model/metric.go, UnescapeName with ValueEncodingEscaping.</remarks>
    internal static string Unescape(string escaped)
    {
        var name = new StringBuilder(escaped.Length);
        var rest = escaped.AsSpan(3);
        while (!rest.IsEmpty)
        {
            if (rest[0] != '_')
            {
                name.Append(rest[0]);
                rest = rest[1..];
                continue;
            }

            rest = rest[1..];
            var end = rest.IndexOf('_');
            if (end == 0)
            {
                name.Append('_');
                rest = rest[1..];
                continue;
            }

            if (end is < 0 or > 6 || !int.TryParse(rest[..end], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code) || !Rune.IsValid(code))
            {
                return escaped;
            }

            name.Append(new Rune(code));
            rest = rest[(end + 1)..];
        }

        return name.ToString();
    }

    /// <summary>The order of UTF-8 bytes, which is that of code points and not that of UTF-16.</summary>
    private sealed class Utf8Order : IComparer<string>
    {
        public static readonly Utf8Order Instance = new();

        public int Compare(string? x, string? y)
        {
            var left = x.AsSpan();
            var right = y.AsSpan();
            var same = left.CommonPrefixLength(right);
            if (same == left.Length || same == right.Length)
            {
                return left.Length.CompareTo(right.Length);
            }

            // Surrogates stand for code points above all others.
            var (l, r) = (left[same], right[same]);
            return char.IsSurrogate(l) == char.IsSurrogate(r) ? l.CompareTo(r) : char.IsSurrogate(l) ? 1 : -1;
        }
    }
}
