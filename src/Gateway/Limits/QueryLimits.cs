using System.Text;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.QueryApi;
using Metrics.Gateway.Telemetry;
using Metrics.Model;
using Metrics.PromQL;
using Metrics.PromQL.Parsing;

namespace Metrics.Gateway.Limits;

/// <summary>Holds queries against their tenant's limits before they wait for their turn. Thread-safe.</summary>
/// <remarks>Texts carry Mimir's ids (pkg/util/globalerror), which its runbooks and people's searches go by.</remarks>
internal sealed class QueryLimits(IngestLimits usage, ParseOptions parsing, GatewayInstruments instruments)
{
    private readonly LimitsTable limits = usage.Limits;

    /// <summary>Queries of a tenant that may run and wait at once.</summary>
    public (int Running, int Waiting) Concurrency(TenantId tenant)
    {
        var own = limits.Of(tenant);
        return (own.MaxQueryConcurrency, own.MaxOutstandingRequestsPerTenant);
    }

    /// <summary>Parts of one query of a tenant that are evaluated at once, of as many as the server allows.</summary>
    public int Parallelism(TenantId tenant, int most) => (int)TenantLimits.Least(limits.Of(tenant).MaxQueryParallelism, most);

    /// <summary>Checks a query; gives it with the bounds that hold while it runs.</summary>
    /// <exception cref="ApiException">It exceeds a limit (422).</exception>
    public QueryRequest Admit(TenantId tenant, QueryRequest query)
    {
        var own = limits.Of(tenant);
        CountQuery(tenant);
        AdmitText(tenant, own, query.Query);
        AdmitLength(tenant, own, query.Grid.StartMs, query.Grid.EndMs);
        if (own.BlockedQueries.Count > 0 && Formatted(query.Query) is { } formatted)
        {
            AdmitUnblocked(tenant, own, formatted, query.Grid.StartMs, query.Grid.EndMs, query.IsRange ? query.Grid.StepMs : 0);
        }

        return BoundsOf(tenant) is var bounds && bounds == QueryBounds.None ? query : query with { Bounds = bounds };
    }

    /// <summary>What one query of a tenant, or whatever else it reads by, may read and hold.</summary>
    public QueryBounds BoundsOf(TenantId tenant)
    {
        var own = limits.Of(tenant);
        return own is { MaxFetchedSeriesPerQuery: 0, MaxFetchedChunksPerQuery: 0, MaxFetchedChunkBytesPerQuery.Bytes: 0, MaxSamplesPerQuery: 0, MaxEstimatedMemoryConsumptionPerQuery.Bytes: 0 }
            ? QueryBounds.None
            : new QueryBounds(own.MaxFetchedSeriesPerQuery, own.MaxFetchedChunkBytesPerQuery.Bytes, own.MaxSamplesPerQuery, $"tenant {tenant}")
            {
                MaxMemory = own.MaxEstimatedMemoryConsumptionPerQuery.Bytes,
                MaxChunks = own.MaxFetchedChunksPerQuery,
            };
    }

    /// <summary>Checks what selects series without being a query, as <c>match[]</c> does. Without selectors nothing is blocked, and ranges of any length are looked through: where none is asked for, it is all time.</summary>
    /// <exception cref="ApiException">It is blocked (422).</exception>
    public void AdmitSelectors(TenantId tenant, IReadOnlyList<IReadOnlyList<Matcher>> selectors, TimeRange range)
    {
        var own = limits.Of(tenant);
        if (own.BlockedQueries.Count == 0)
        {
            return;
        }

        foreach (var selector in selectors)
        {
            if (Formatted(TextOf(selector)) is { } formatted)
            {
                AdmitUnblocked(tenant, own, formatted, range.MinMs, range.MaxMs, 0);
            }
        }
    }

    /// <summary>The text of a selector.</summary>
    public static string TextOf(IReadOnlyList<Matcher> selector) => $"{{{string.Join(",", selector)}}}";

    /// <summary>Checks a remote read.</summary>
    /// <exception cref="ApiException">It exceeds a limit (422).</exception>
    public void Admit(TenantId tenant, IReadOnlyList<Matcher> matchers, TimeRange range)
    {
        var own = limits.Of(tenant);
        CountQuery(tenant);
        AdmitLength(tenant, own, range.MinMs, range.MaxMs);
        if (own.BlockedQueries.Count > 0 && Formatted(TextOf(matchers)) is { } formatted)
        {
            AdmitUnblocked(tenant, own, formatted, range.MinMs, range.MaxMs, 0);
        }
    }

    /// <summary>Counts what a query has cost.</summary>
    public void CountSamples(TenantId tenant, long samples)
    {
        foreach (var member in tenant.Members)
        {
            usage.UsageOf(member).OnAnswered(samples);
        }
    }

    private void CountQuery(TenantId tenant)
    {
        foreach (var member in tenant.Members)
        {
            usage.UsageOf(member).OnQueried();
        }
    }

    private static void AdmitText(TenantId tenant, TenantLimits own, string query)
    {
        if (own.MaxQueryExpressionSizeBytes is { Bytes: > 0 } most && query.Length > most.Bytes / 4 && Encoding.UTF8.GetByteCount(query) is var bytes && bytes > most.Bytes)
        {
            throw Refused($"the query's text of {bytes} bytes exceeds the limit max_query_expression_size_bytes of {most} of tenant {tenant} (err-mimir-max-query-expression-size-bytes)");
        }
    }

    private static void AdmitLength(TenantId tenant, TenantLimits own, long startMs, long endMs)
    {
        if (own.MaxTotalQueryLength > TimeSpan.Zero && (double)endMs - startMs > own.MaxTotalQueryLength.TotalMilliseconds)
        {
            throw Refused(
                $"the query's time range of {(((double)endMs - startMs) / 1000).ToString("0.###", System.Globalization.CultureInfo.InvariantCulture)}s exceeds the limit max_total_query_length of {DurationText.Format(own.MaxTotalQueryLength)} of tenant {tenant} (err-mimir-max-total-query-length)");
        }
    }

    private void AdmitUnblocked(TenantId tenant, TenantLimits own, string formatted, long startMs, long endMs, long stepMs)
    {
        foreach (var blocked in own.BlockedQueries)
        {
            if (blocked.Blocks(formatted, startMs, endMs, stepMs))
            {
                instruments.OnQueryBlocked(tenant);
                var reason = blocked.Reason.Length == 0 ? "" : $", reason: {blocked.Reason}";
                throw Refused($"the query is blocked for tenant {tenant} by blocked_queries (err-mimir-query-blocked){reason}");
            }
        }
    }

    /// <summary>The query as <c>format_query</c> writes it; null when it does not parse, which whoever evaluates it says better.</summary>
    private string? Formatted(string query)
    {
        try
        {
            return PrettyPrinter.Print(PromQLParser.Parse(query, parsing));
        }
        catch (PromQLParseException)
        {
            return null;
        }
    }

    private static ApiException Refused(string message) => new(ApiErrorType.Execution, message);
}
