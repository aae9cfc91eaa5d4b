using Metrics.Gateway.Telemetry;

namespace Metrics.Gateway.Rules;

/// <summary>What is counted about rules; names are Prometheus's with our prefix.</summary>
internal static class RuleInstruments
{
    /// <summary>Registers the families; their series come and go with the groups.</summary>
    public static void Register(MetricRegistry registry, RulesHost rules)
    {
        void Add(string name, string type, string help, Func<Metrics.Rules.Groups.RuleGroup, double> value) => registry.Add(new Observed(name, type, help, sink =>
        {
            foreach (var (tenant, groups) in rules.All.OrderBy(static a => a.Tenant).Take(TenantRanking.ListedMax))
            {
                foreach (var group in groups)
                {
                    sink.Put("", [("tenant", tenant.Value), ("rule_group", group.Key)], value(group));
                }
            }
        }));

        Add("metrics_rule_group_iterations_total", "counter", "Evaluations of rule groups that were due, executed or missed.", static g => g.Counters.Iterations);
        Add("metrics_rule_group_iterations_missed_total", "counter", "Evaluations of rule groups that were missed because one before took too long.", static g => g.Counters.Missed);
        Add("metrics_rule_evaluations_total", "counter", "Evaluations of rules.", static g => g.Counters.Evaluations);
        Add("metrics_rule_evaluation_failures_total", "counter", "Evaluations of rules that failed.", static g => g.Counters.Failures);
        Add("metrics_rule_evaluation_with_warnings_total", "counter", "Queries of rules that were answered with warnings, such as that the answer is partial.", static g => g.Counters.Warned);
        Add("metrics_rule_group_interval_seconds", "gauge", "The interval of a rule group.", static g => g.IntervalMs / 1000.0);
        Add("metrics_rule_group_last_duration_seconds", "gauge", "How long the last evaluation of a rule group took.", static g => g.LastEvaluation?.Duration.TotalSeconds ?? 0);
        Add("metrics_rule_group_last_evaluation_timestamp_seconds", "gauge", "When a rule group was last evaluated.", static g => (g.LastEvaluation?.StartedAtMs ?? 0) / 1000.0);
        Add("metrics_rule_group_last_evaluation_samples", "gauge", "Samples of the last evaluation of a rule group.", static g => g.Counters.LastSamples);
        Add("metrics_rule_group_rules", "gauge", "Rules of a rule group.", static g => g.Rules.Count);
        RegisterNotifications(registry, rules);
    }

    private static void RegisterNotifications(MetricRegistry registry, RulesHost rules)
    {
        void Add(string name, string type, string help, Func<int, Metrics.Rules.Notifying.AlertmanagerCounters, double> value) => registry.Add(new Observed(name, type, help, sink =>
        {
            foreach (var (tenant, alertmanagers) in rules.Notified.OrderBy(static n => n.Tenant).Take(GatewayInstruments.MaxTenants))
            {
                foreach (var (url, queued, counters, _) in alertmanagers)
                {
                    sink.Put("", [("tenant", tenant.Value), ("alertmanager", url.ToString())], value(queued, counters));
                }
            }
        }));

        Add("metrics_notifications_sent_total", "counter", "Alerts that an Alertmanager took.", static (_, c) => c.Sent);
        Add("metrics_notifications_errors_total", "counter", "Alerts that an Alertmanager did not take.", static (_, c) => c.Errors);
        Add("metrics_notifications_dropped_total", "counter", "Alerts that were given up, because the queue was full or a request failed.", static (_, c) => c.Dropped);
        Add("metrics_notifications_queue_length", "gauge", "Alerts that wait to be sent.", static (queued, _) => queued);
    }
}
