using System.Buffers;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.PromQL;
using Metrics.PromQL.Parsing;

namespace Metrics.Gateway.QueryApi;

/// <summary><c>features</c>: what is spoken here, by category, in Prometheus's names (util/features). What a client may ask for and not get is there as false.</summary>
internal sealed class FeaturesEndpoint(ApiEndpoint endpoint, GatewayOptions options, EngineOptions engine)
{
    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes => [new(HttpRoute.Get, "/api/v1/features", "features", endpoint.Of(_ => ValueTask.FromResult(ApiAnswer.Small(Write)), needsData: false)) { Access = RouteAccess.Read }];

    private void Write(IBufferWriter<byte> to)
    {
        var isFirst = true;
        JsonFields.Raw(to, "{"u8);
        foreach (var (category, features) in All())
        {
            JsonFields.Raw(to, isFirst ? ""u8 : ","u8);
            isFirst = false;
            JsonFields.String(to, category);
            JsonFields.Raw(to, ":{"u8);
            var isFirstFeature = true;
            foreach (var (name, isOn) in features.OrderBy(f => f.Name, StringComparer.Ordinal))
            {
                JsonFields.Raw(to, isFirstFeature ? ""u8 : ","u8);
                isFirstFeature = false;
                JsonFields.String(to, name);
                JsonFields.Raw(to, isOn ? ":true"u8 : ":false"u8);
            }

            JsonFields.Raw(to, "}"u8);
        }

        JsonFields.Raw(to, "}"u8);
    }

    private IEnumerable<(string Category, IEnumerable<(string Name, bool IsOn)> Features)> All()
    {
        yield return ("api",
        [
            ("admin", options.Http.AdminApi), ("exclude_alerts", true), ("label_values_match", true), ("lifecycle", true), ("openapi_3.1", true), ("openapi_3.2", false), ("otlp_write_receiver", true), ("query_stats", true),
            ("query_warnings", true), ("remote_write_receiver", true), ("search", true), ("time_range_labels", true), ("time_range_series", true),
        ]);
        yield return ("prometheus", [("agent_mode", false), ("auto_reload_config", false), ("server_mode", true)]);
        yield return ("promql",
        [
            ("anchored", engine.Parsing.ExtendedRangeSelectors), ("at_modifier", true), ("bool", true), ("by", true), ("delayed_name_removal", engine.DelayedNameRemoval),
            ("duration_expr", engine.Parsing.DurationExpressions), ("fill", engine.Parsing.FillModifiers), ("fill_left", engine.Parsing.FillModifiers), ("fill_right", engine.Parsing.FillModifiers),
            ("group_left", true), ("group_right", true), ("ignoring", true), ("negative_offset", true), ("offset", true), ("on", true), ("per_query_lookback_delta", true), ("per_step_stats", true),
            ("smoothed", engine.Parsing.ExtendedRangeSelectors), ("subqueries", true), ("type_and_unit_labels", engine.TypeAndUnitLabels), ("without", true),
        ]);
        yield return ("promql_functions", FunctionSignatures.All.Select(f => (f.Name, !f.IsExperimental || engine.Parsing.ExperimentalFunctions)));
        yield return ("promql_operators",
            Enum.GetValues<BinaryOperator>().Select(o => (Printer.NameOf(o), true))
                .Concat(Enum.GetValues<AggregateOperator>().Select(a => (Printer.NameOf(a), engine.Parsing.ExperimentalFunctions || a is not (AggregateOperator.Limitk or AggregateOperator.LimitRatio)))));
        yield return ("rules", [("concurrent_rule_eval", options.Rules.MaxConcurrentEvals > 1), ("keep_firing_for", true), ("query_offset", true)]);
        yield return ("tsdb", [("exemplar_storage", options.Storage.MaxExemplars > 0), ("native_histograms", true), ("st_storage", false)]);
    }
}
