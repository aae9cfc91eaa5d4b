using System.Collections.Frozen;

namespace Metrics.Gateway.OpenApi;

/// <summary>A parameter of a route.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Kind">What it is.</param>
/// <param name="IsRequired">Whether it must be there.</param>
internal readonly record struct RouteParameter(string Name, ParameterKind Kind, bool IsRequired);

/// <summary>What a parameter is.</summary>
internal enum ParameterKind
{
    /// <summary>Text.</summary>
    Text,

    /// <summary>Text, any number of times.</summary>
    Texts,

    /// <summary>An instant: Unix seconds, or RFC 3339.</summary>
    Time,

    /// <summary>A duration: seconds, or with a unit.</summary>
    Duration,

    /// <summary>A whole number.</summary>
    Number,

    /// <summary>true or false.</summary>
    Flag,
}

/// <summary>What the routes take, by handler, for those that take anything; what is not told here is described without parameters.</summary>
internal static class RouteParameters
{
    private const string Query = "query! timeout:duration limit:number lookback_delta:duration stats analyze:flag max_source_resolution dedup:flag replicaLabels[]:texts partial_response:flag";

    private const string Search = "match[]:texts search[]:texts fuzz_threshold:number fuzz_alg case_sensitive:flag sort_by sort_dir include_score:flag start:time end:time limit:number batch_size:number";

    private static readonly FrozenDictionary<string, (string Summary, RouteParameter[] Parameters)> known = new Dictionary<string, (string, string)>(StringComparer.Ordinal)
    {
        ["query"] = ("Evaluates a query at an instant.", "time:time " + Query),
        ["query_range"] = ("Evaluates a query at the steps of a range.", "start!:time end!:time step!:duration " + Query),
        ["query_explain"] = ("The operators that an instant query would be answered by.", "time:time " + Query),
        ["query_range_explain"] = ("The operators that a range query would be answered by.", "start!:time end!:time step!:duration " + Query),
        ["series"] = ("The label sets of series.", "match[]!:texts start:time end:time limit:number dedup:flag replicaLabels[]:texts"),
        ["labels"] = ("The names of labels.", "match[]:texts start:time end:time limit:number"),
        ["label_values"] = ("The values of a label.", "match[]:texts start:time end:time limit:number"),
        ["search_metric_names"] = ("Metric names by parts of them, as lines of JSON.", "include_metadata:flag " + Search),
        ["search_label_names"] = ("Label names by parts of them, as lines of JSON.", Search),
        ["search_label_values"] = ("Label values by parts of them, as lines of JSON.", "label! " + Search),
        ["query_exemplars"] = ("The exemplars of the series that a query selects.", "query! start:time end:time"),
        ["federate"] = ("The last sample of each series, for a scrape.", "match[]!:texts"),
        ["metadata"] = ("What senders declared about metrics.", "metric limit:number limit_per_metric:number"),
        ["format_query"] = ("A query, formatted.", "query!"),
        ["parse_query"] = ("A query as a syntax tree.", "query!"),
        ["status_tsdb"] = ("What the heads of the tenant's shards hold.", "limit:number"),
        ["status_tsdb_blocks"] = ("The tenant's blocks.", ""),
        ["status_self_metrics"] = ("The metrics of this process.", "metric_name_pattern"),
        ["status_active_queries"] = ("The tenant's queries that are waited for.", ""),
        ["status_top_queries"] = ("The tenant's queries that were asked most, and took longest.", "topN:number maxLifetime:duration"),
        ["status_cluster"] = ("Silos and shards.", "tenants"),
        ["cardinality_label_names"] = ("How many values labels have.", "selector limit:number"),
        ["cardinality_label_values"] = ("How many series label values have.", "label_names[]!:texts selector limit:number"),
        ["cardinality_active_series"] = ("The series in the heads.", "selector"),
        ["rules"] = ("Rules with their state.", "type rule_name[]:texts rule_group[]:texts file[]:texts match[]:texts exclude_alerts:flag group_limit:number group_next_token"),
        ["targets"] = ("No targets: nothing is scraped here.", "state scrapePool"),
        ["targets_metadata"] = ("No metadata of targets: nothing is scraped here.", "match_target metric limit:number"),
        ["flush"] = ("Cuts heads to blocks, publishes and compacts them.", "tenant:texts wait:flag"),
        ["upload_block"] = ("Uploads a block: ULID/start, ULID/files, ULID/finish, ULID/check.", "path"),
        ["config"] = ("The settings in force.", "mode"),
        ["runtime_config"] = ("The limits of tenants in the overrides file.", "mode"),
        ["services"] = ("The parts of the process.", ""),
        ["memberlist"] = ("The silos.", ""),
        ["shutdown"] = ("Puts heads into object storage and ends the process.", ""),
        ["prepare_shutdown"] = ("Whether heads are put into object storage before the process ends.", ""),
        ["quit"] = ("Ends the process.", ""),
        ["write"] = ("Remote write.", ""),
        ["read"] = ("Remote read.", ""),
        ["otlp"] = ("OTLP/HTTP metrics.", ""),
        ["import_text"] = ("Samples in Prometheus's text format.", "extra_label:texts timestamp:number"),
        ["influx"] = ("InfluxDB's line protocol.", "precision db"),
        ["user_limits"] = ("The tenant's limits.", ""),
        ["user_stats"] = ("What the tenant uses.", ""),
        ["user_lag"] = ("How old the tenant's newest sample is.", ""),
        ["features"] = ("What is spoken here.", ""),
        ["openapi"] = ("This document.", "openapi_version"),
        ["notifications_live"] = ("Notifications as server-sent events.", ""),
        ["healthy"] = ("Whether the process lives.", ""),
        ["ready"] = ("Whether writes and queries are served.", ""),
        ["metrics"] = ("The metrics of this process, for a scrape.", ""),
    }.ToFrozenDictionary(static k => k.Key, static k => (k.Value.Item1, Parse(k.Value.Item2)), StringComparer.Ordinal);

    /// <summary>The handlers that are described.</summary>
    public static IEnumerable<string> Handlers => known.Keys;

    /// <summary>What a handler does, in a sentence, and what it takes.</summary>
    public static (string Summary, IReadOnlyList<RouteParameter> Parameters) Of(string handler) =>
        known.TryGetValue(handler, out var found) ? found : (handler.Replace('_', ' '), []);

    private static RouteParameter[] Parse(string all) =>
        [.. all.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(static text =>
        {
            var parts = text.Split(':');
            var kind = parts.Length == 1 ? ParameterKind.Text : Enum.Parse<ParameterKind>(parts[1], ignoreCase: true);
            return new RouteParameter(parts[0].TrimEnd('!'), kind, parts[0].EndsWith('!'));
        })];
}
