using System.Globalization;
using Metrics.Cluster;
using Metrics.Gateway.QueryApi;
using Metrics.Model;

namespace Metrics.Gateway.Search;

/// <summary>What the search endpoints have in common.</summary>
/// <param name="Query">Which series.</param>
/// <param name="Filter">Which names of theirs.</param>
/// <param name="Order">In which order.</param>
/// <param name="IncludeScore">Whether to tell how well each fits.</param>
/// <param name="Limit">How many.</param>
/// <param name="BatchSize">How many on a line.</param>
internal sealed record SearchRequest(LabelQuery Query, SearchFilter Filter, SearchOrder Order, bool IncludeScore, int Limit, int BatchSize)
{
    /// <summary>The most results (<c>web.search.max-limit</c>).</summary>
    public const int LimitMax = 10_000;

    private const int LimitDefault = 100;
    private const int TermsMax = 32;
    private static readonly string[] algorithms = ["subsequence", "jarowinkler"];

    /// <summary>Reads the parameters. Messages and the order of checking are Prometheus's (web/api/v1/search.go).</summary>
    /// <exception cref="ApiException">One is wrong.</exception>
    public static SearchRequest Read(RequestParameters parameters, DateTimeOffset now)
    {
        var nowMs = now.ToUnixTimeMilliseconds();
        var range = new TimeRange(parameters.TimeMs("start", nowMs - 3_600_000), parameters.TimeMs("end", nowMs));
        if (range.MaxMs < range.MinMs)
        {
            throw Bad("end timestamp must not be before start timestamp");
        }

        var query = new LabelQuery(LabelEndpoints.Selectors(parameters), range, 0);
        var terms = parameters.All("search[]");
        if (terms.Count > TermsMax)
        {
            throw Bad($"too many search[] terms: got {terms.Count}, maximum is {TermsMax}");
        }

        var threshold = Number(parameters, "fuzz_threshold", 0, 0, 100, "must be 0-100");
        var algorithm = parameters["fuzz_alg"] is { Length: > 0 } asked ? asked : algorithms[0];
        if (!algorithms.Contains(algorithm, StringComparer.Ordinal))
        {
            throw Bad($"unsupported fuzz_alg {LabelsText.Quote(algorithm)}: must be one of [{string.Join(' ', algorithms)}]");
        }

        var isCaseSensitive = Flag(parameters, "case_sensitive", true);
        var includeScore = Flag(parameters, "include_score", false);
        var order = OrderOf(parameters["sort_by"], parameters["sort_dir"], terms.Count > 0);
        var limit = Number(parameters, "limit", LimitDefault, 1, int.MaxValue, "must be a positive integer");
        if (limit > LimitMax)
        {
            throw Bad($"limit {limit} exceeds the configured maximum ({LimitMax})");
        }

        var batch = Number(parameters, "batch_size", LimitDefault, 1, int.MaxValue, "must be a positive integer");
        return new SearchRequest(query, new SearchFilter(terms, threshold / 100.0, algorithm == algorithms[1], isCaseSensitive), order, includeScore, limit, batch);
    }

    /// <summary>A boolean as Go reads it.</summary>
    /// <exception cref="ApiException">It is none.</exception>
    public static bool Flag(RequestParameters parameters, string name, bool otherwise) => parameters[name] switch
    {
        "" => otherwise,
        "1" or "t" or "T" or "TRUE" or "true" or "True" => true,
        "0" or "f" or "F" or "FALSE" or "false" or "False" => false,
        var text => throw Bad($"invalid {name} {LabelsText.Quote(text)}: must be boolean"),
    };

    private static SearchOrder OrderOf(string by, string direction, bool hasTerms) => (by, direction) switch
    {
        ("", not "") => throw Bad("sort_dir is only valid when sort_by is set"),
        ("score", not "") => throw Bad("sort_dir is not supported for sort_by=score"),
        (_, not ("" or "asc" or "dsc")) => throw Bad($"invalid sort_dir {LabelsText.Quote(direction)}: must be \"asc\" or \"dsc\""),
        ("score", _) => hasTerms ? SearchOrder.Score : throw Bad("sort_by=score requires search[] to be set"),
        ("" or "alpha", _) => direction == "dsc" ? SearchOrder.Descending : SearchOrder.Ascending,
        _ => throw Bad($"invalid sort_by {LabelsText.Quote(by)}: must be \"alpha\" or \"score\""),
    };

    private static int Number(RequestParameters parameters, string name, int otherwise, int least, int most, string wanted)
    {
        var text = parameters[name];
        return text.Length == 0 ? otherwise
            : int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most ? number
            : throw Bad($"invalid {name} {LabelsText.Quote(text)}: {wanted}");
    }

    private static ApiException Bad(string message) => new(ApiErrorType.BadData, message);
}

/// <summary>The order of what was found.</summary>
internal enum SearchOrder
{
    /// <summary>By name.</summary>
    Ascending,

    /// <summary>By name, the last first.</summary>
    Descending,

    /// <summary>The best first, then by name.</summary>
    Score,
}
