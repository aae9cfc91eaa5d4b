using System.Globalization;
using System.Text;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Limits;
using Metrics.Gateway.Server;

namespace Metrics.Gateway.Operations;

/// <summary>What an operator of Mimir looks for, as text: <c>/config</c>, <c>/runtime_config</c>, <c>/services</c> and <c>/memberlist</c>.</summary>
internal sealed class OperatorPages(GatewayOptions options, ICluster cluster, LimitsTable limits, ConfigurationReload reload, ProcessShutdown shutdown)
{
    /// <summary>The routes; for administrators.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        Page("/config", "config", mode => mode switch
        {
            "" => ConfigurationText.Of(options),
            "diff" => ConfigurationText.Difference(options),
            "defaults" => ConfigurationText.Of(new GatewayOptions()),
            _ => null,
        }),
        Page("/runtime_config", "runtime_config", mode => mode switch
        {
            "" => RuntimeConfig(onlyDifferent: false),
            "diff" => RuntimeConfig(onlyDifferent: true),
            _ => null,
        }),
        Page("/services", "services", _ => Services()),
        Page("/memberlist", "memberlist", _ => Members()),
    ];

    private static HttpRoute Page(string path, string handler, Func<string, string?> text) => new(HttpRoute.GetHead, path, handler, context =>
    {
        var mode = context.Request.Query["mode"].ToString();
        if (text(mode) is { } found)
        {
            return PlainText.AnswerAsync(context, StatusCodes.Status200OK, found);
        }

        return PlainText.AnswerAsync(context, StatusCodes.Status400BadRequest, $"mode \"{mode}\" is not known\n");
    });

    /// <summary>What the overrides file says of each tenant that it names: all limits, or those that are not everybody's.</summary>
    private string RuntimeConfig(bool onlyDifferent)
    {
        var yaml = new StringBuilder();
        foreach (var tenant in limits.Overridden.OrderBy(static t => t.Value, StringComparer.Ordinal))
        {
            var own = limits.Of(tenant);
            var lines = SettingCatalog.In("limits").Where(s => !onlyDifferent || s.ShowIn(own) != s.ShowIn(options.Limits)).Select(s => $"    {s.Name}: {ConfigurationText.Quoted(s.ShowIn(own))}\n").ToList();
            if (own.BlockedQueries.Count > 0)
            {
                lines.Add($"    # blocked_queries: {own.BlockedQueries.Count}\n");
            }

            if (own.MetricRelabelConfigs is not null)
            {
                lines.Add("    # metric_relabel_configs of its own\n");
            }

            yaml.Append("  ").Append(tenant.Value).Append(lines.Count == 0 ? ": {}\n" : ":\n").AppendJoin("", lines);
        }

        return yaml.Length == 0 ? "overrides: {}\n" : "overrides:\n" + yaml;
    }

    private string Services()
    {
        var progress = cluster.Progress;
        var storage = progress.IsReady ? shutdown.IsEnding ? "Stopping" : "Running" : "Starting";
        var rules = options.Cluster.Role == SiloRole.Shards ? "Terminated" : storage;
        var text = new StringBuilder();
        foreach (var (name, state, about) in new[]
        {
            ("http", shutdown.IsEnding ? "Stopping" : "Running", ""),
            ("storage", storage, progress.IsReady ? $"{cluster.Tenants.Count} tenants open here" : Health.HealthEndpoints.Describe(progress)),
            ("queries", rules, ""),
            ("rules", rules, ""),
            ("configuration", reload.Failed ? "Failed" : "Running", $"last read without a mistake at {reload.Succeeded.ToString("u", CultureInfo.InvariantCulture)}"),
        })
        {
            text.Append($"{name,-15}{state,-12}{about}".TrimEnd()).Append('\n');
        }

        return text.ToString();
    }

    private string Members()
    {
        if (cluster.Control is not { } control)
        {
            return "This is the single process: it has no members.\n";
        }

        var text = new StringBuilder($"{"NODE",-34}{"ADDRESS",-40}{"STATE",-16}{"ZONE",-16}{"HTTP",-24}SHARDS\n");
        foreach (var silo in control.Silos)
        {
            var state = silo.State + (silo.Report is { IsLeaving: true } ? ", leaving" : "");
            text.Append(CultureInfo.InvariantCulture, $"{Or(silo.Card.Node.Value),-34}{silo.Address,-40}{state,-16}{Or(silo.Card.Zone),-16}{Or(silo.Card.Http),-24}{silo.Report?.Shards.Count.ToString(CultureInfo.InvariantCulture) ?? "-"}\n");
        }

        return text.ToString();

        static string Or(string value) => value.Length == 0 ? "-" : value;
    }
}
