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
        Add("metrics_rule_group_interval_seconds", "gauge", "The interval of a rule group.", static g => g.IntervalMs / 1000.0);
        Add("metrics_rule_group_last_duration_seconds", "gauge", "How long the last evaluation of a rule group took.", static g => g.LastDuration.TotalSeconds);
        Add("metrics_rule_group_last_evaluation_timestamp_seconds", "gauge", "When a rule group was last evaluated.", static g => (g.LastEvaluationMs ?? 0) / 1000.0);
        Add("metrics_rule_group_last_evaluation_samples", "gauge", "Samples of the last evaluation of a rule group.", static g => g.Counters.LastSamples);
        Add("metrics_rule_group_rules", "gauge", "Rules of a rule group.", static g => g.Rules.Count);
    }
}
