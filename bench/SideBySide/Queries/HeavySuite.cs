namespace Metrics.SideBySide;

/// <summary>What is expensive: everything at once, groups of high cardinality, regular expressions, subqueries and joins over all. Names are the generator's.</summary>
internal static class HeavySuite
{
    public static IReadOnlyList<Query> Queries { get; } =
    [
        Query.Instant("""count({__name__=~".+"})"""),
        Query.Instant("""count by (__name__) ({__name__=~".+"})"""),
        Query.Instant("""topk(10, count by (pod) ({__name__=~".+"}))"""),
        Query.Instant("""count(count by (pod, mode) ({cluster="eu-west-1-prod-a"}))"""),
        Query.Instant("""sum by (namespace) (rate({__name__=~".+_total"}[5m]))"""),
        Query.Instant("""count by (node) ({node=~"ip-10-0-1.*",mode!=""})"""),
        Query.Instant("""sum({pod=~".*a[0-9]+.*f.*",__name__=~"container_.*"})"""),
        Query.Instant("""quantile by (service) (0.95, {__name__=~"http_server_.+"})"""),
        Query.Instant("""count(quantile_over_time(0.9, {__name__=~"container_.+_current"}[10m]) > 100)"""),
        Query.Instant("""count({__name__=~"grpc_server_.+_total"} * on (instance, pod) group_left (node) (kube_pod_cpu_usage_seconds_info * 0 + 1))"""),
        Query.Instant("""max_over_time(sum(rate(container_cpu_usage_seconds_total[5m]))[30m:30s])"""),
        Query.Hour("""sum(rate({__name__=~"container_.+_total"}[5m]))""", 60),
        Query.Hour("""count(sum by (pod, instance) (rate({__name__=~"http_server_.+_total"}[5m])))""", 60),
        Query.Hour("""sum by (__name__, namespace) ({__name__=~"node_.+_current"})""", 60),
        Query.Hour("""topk(5, sum by (pod) ({__name__=~"process_.+"}))""", 60),
        Query.Hour("""avg by (service) (quantile_over_time(0.9, {__name__=~"go_.+_current"}[5m]))""", 60),
        Query.Hour("""sum by (node) (rate(container_cpu_usage_seconds_total[5m]) * on (pod) group_left () (kube_pod_cpu_usage_seconds_info * 0 + 1))""", 30),
        Query.Hour("""max by (namespace) (max_over_time(rate(http_server_requests_total[5m])[10m:1m]))""", 60),
        Query.Hour("""stddev by (namespace) (avg_over_time({__name__=~"etcd_.+_current"}[5m]))""", 60),
        Query.Hour("""count by (namespace) ({__name__=~"kubelet_.+"} > on (pod, __name__, mode, le) group_left () ({__name__=~"kubelet_.+"} offset 5m))""", 60),
    ];
}
