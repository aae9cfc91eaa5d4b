namespace Metrics.SideBySide;

/// <summary>What the panels of dashboards ask: one service or namespace at a time, at one time or an hour at 15 to 60 seconds. Names are the generator's.</summary>
internal static class DashboardSuite
{
    public static IReadOnlyList<Query> Queries { get; } =
    [
        Query.Instant("""count(container_cpu_usage_seconds_total)"""),
        Query.Instant("""sum(container_memory_working_set_bytes_current{namespace="payments-production"})"""),
        Query.Instant("""sum by (namespace) (rate(http_server_requests_total[5m]))"""),
        Query.Instant("""topk(5, sum by (pod) (rate(container_cpu_usage_seconds_total{namespace="monitoring"}[5m])))"""),
        Query.Instant("""absent(kube_pod_status_phase_current{namespace="not-there"})"""),
        Query.Instant("""absent(kube_pod_status_phase_current{namespace="kube-system"})"""),
        Query.Instant("""count by (mode) (node_requests_total{job="integrations/cart-service"})"""),
        Query.Instant("""kube_deployment_status_phase_current{namespace="ingress-nginx"}"""),
        Query.Instant("""max by (node) (node_memory_working_set_bytes_current{job="integrations/api-gateway"})"""),
        Query.Instant("""sum(rate(grpc_server_errors_total{service="order-processor"}[5m])) / sum(rate(grpc_server_requests_total{service="order-processor"}[5m]))"""),
        Query.Instant("""histogram_quantile(0.9, sum by (le) (label_replace(rate(http_server_request_duration_seconds_total{service="user-profile"}[5m]), "le", "+Inf", "le", "512")))"""),
        Query.Instant("""sum by (node) (container_memory_working_set_bytes_current{namespace="search-staging"} * on (pod) group_left (node) kube_pod_cpu_usage_seconds_info * 0 + 1)"""),
        Query.Instant("""sort_desc(avg by (service) (go_gc_duration_seconds_current))"""),
        Query.Instant("""count(process_open_connections_current{namespace="kube-system"} > 500) or vector(0)"""),
        Query.Hour("""sum by (pod) (rate(container_cpu_usage_seconds_total{namespace="payments-production"}[5m]))""", 15),
        Query.Hour("""rate(container_network_receive_bytes_total{service="session-store",namespace="monitoring"}[5m])""", 30),
        Query.Hour("""sum by (pod) (container_memory_working_set_bytes_current{service="cart-service"})""", 30),
        Query.Hour("""sum(rate(http_server_requests_total{job="integrations/payment-adapter"}[5m]))""", 15),
        Query.Hour("""sum by (mode) (rate(apiserver_requests_total{namespace="checkout-production"}[5m]))""", 60),
        Query.Hour("""histogram_quantile(0.99, sum by (le) (label_replace(rate(http_server_request_duration_seconds_total[5m]), "le", "+Inf", "le", "512")))""", 60),
        Query.Hour("""histogram_quantile(0.5, sum by (le, namespace) (label_replace(rate(grpc_server_request_duration_seconds_total[5m]), "le", "+Inf", "le", "512")))""", 60),
        Query.Hour("""topk(10, rate(container_cpu_usage_seconds_total{namespace="identity-production"}[5m]))""", 60),
        Query.Hour("""sum by (node) (rate(container_cpu_usage_seconds_total{service="api-gateway"}[5m]) * on (pod) group_left () (0 * kube_pod_cpu_usage_seconds_info + 1))""", 60),
        Query.Hour("""increase(workqueue_requests_total{namespace="ingress-nginx",mode="GET"}[10m])""", 60),
        Query.Hour("""avg_over_time(go_open_connections_current{service="image-resizer"}[5m])""", 30),
        Query.Hour("""max_over_time(etcd_queue_depth_current{namespace="kube-system"}[15m])""", 60),
        Query.Hour("""sum(rate(rest_client_errors_total{namespace="search-staging"}[5m])) by (service) / sum(rate(rest_client_requests_total{namespace="search-staging"}[5m])) by (service)""", 30),
        Query.Hour("""count by (namespace) (kube_pod_status_phase_current)""", 15),
        Query.Hour("""changes(kube_deployment_queue_depth_current{namespace="monitoring"}[15m])""", 60),
        Query.Hour("""coredns_requests_total{service="catalog-indexer"} unless on (pod) (kube_pod_errors_total > 300)""", 60),
    ];
}
