namespace Metrics.SideBySide;

/// <summary>What is expensive: everything at once, groups of high cardinality, regular expressions, subqueries and joins over all. Names are the generator's.</summary>
internal static class HeavySuite
{
    private static readonly string[] Objects = ["cpu_usage_seconds", "memory_working_set_bytes", "network_receive_bytes", "requests", "request_duration_seconds", "status_phase", "queue_depth", "gc_duration_seconds", "open_connections", "errors", "fs_reads_bytes"];

    public static IReadOnlyList<Query> Queries { get; } =
    [
        Query.Instant("""count({__name__=~".+"})"""),
        Query.Instant("""count by (__name__) ({__name__=~".+"})"""),
        Query.Instant("""topk(10, sum by (pod) ({__name__=~".+"}))"""),
        Query.Instant("""count(count by (pod, mode) ({cluster="eu-west-1-prod-a"}))"""),
        Query.Instant(Each("apiserver", "sum by (namespace) (rate({0}_total[5m]))")),
        Query.Instant("""count by (node) ({node=~"ip-10-0-1.*",mode!=""})"""),
        Query.Instant("""sum({pod=~".*a[0-9]+.*f.*",__name__=~"container_.*"})"""),
        Query.Instant("""quantile by (service) (0.95, {__name__=~"http_server_.+"})"""),
        Query.Instant(Each("container", "count(quantile_over_time(0.9, {0}_current[10m]) > 100)")),
        Query.Instant("""count by (node) ({__name__=~".+_current"} and on (instance, pod) kube_pod_cpu_usage_seconds_info)"""),
        Query.Instant("""max_over_time(sum(rate(container_cpu_usage_seconds_total[5m]))[30m:30s])"""),
        Query.Hour(Each("container", "sum(rate({0}_total[5m]))"), 60),
        Query.Hour($"count({Each("http_server", "sum by (pod, instance) (rate({0}_total[5m]))")})", 60),
        Query.Hour("""sum by (__name__, namespace) ({__name__=~"node_.+_current"})""", 60),
        Query.Hour("""topk(5, sum by (pod) ({__name__=~"process_.+"}))""", 60),
        Query.Hour(Each("go", "avg by (service) (quantile_over_time(0.9, {0}_current[5m]))"), 60),
        Query.Hour("""sum by (node) (rate(container_cpu_usage_seconds_total[5m]) * on (pod) group_left () (kube_pod_cpu_usage_seconds_info * 0 + 1))""", 30),
        Query.Hour("""max by (namespace) (max_over_time(rate(http_server_requests_total[5m])[10m:1m]))""", 60),
        Query.Hour("""stddev by (namespace) (last_over_time({__name__=~"etcd_.+_current"}[5m]))""", 60),
        Query.Hour("""count by (mode) ({__name__=~"kubelet_.+"} and ({__name__=~"kubelet_.+"} offset 5m))""", 60),
    ];

    /// <summary>The sum of a term for each metric of a subject. Functions drop the name, so one selector of many names would give the same labels twice, which is an error.</summary>
    private static string Each(string subject, string term) => string.Join(" + ", Objects.Select(o => term.Replace("{0}", $"{subject}_{o}", StringComparison.Ordinal)));
}
