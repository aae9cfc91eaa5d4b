using Metrics.Model;

namespace Metrics.Testing;

/// <summary>Series as a Kubernetes cluster has them: 345 metric names, 10.6 labels and about 255 bytes of label text each. The same seed gives the same series.</summary>
public sealed class KubernetesSeries
{
    /// <summary>The number of metric names.</summary>
    public const int MetricCount = 345;

    private static readonly string[] Subjects = ["container", "kube_pod", "kube_deployment", "apiserver", "node", "http_server", "grpc_server", "go", "process", "workqueue", "rest_client", "etcd", "coredns", "kubelet", "scheduler"];
    private static readonly string[] Objects = ["cpu_usage_seconds", "memory_working_set_bytes", "network_receive_bytes", "requests", "request_duration_seconds", "status_phase", "queue_depth", "gc_duration_seconds", "open_connections", "errors", "fs_reads_bytes"];
    private static readonly string[] Suffixes = ["total", "current", "info"];
    private static readonly string[] Namespaces = ["kube-system", "monitoring", "payments-production", "checkout-production", "search-staging", "identity-production", "ingress-nginx"];
    private static readonly string[] Apps = ["api-gateway", "cart-service", "order-processor", "payment-adapter", "session-store", "catalog-indexer", "image-resizer", "user-profile"];
    private static readonly string[] Modes = ["GET", "POST", "read", "write", "idle", "user", "system"];

    private readonly string[] metrics = new string[MetricCount];
    private readonly int seed;

    /// <summary>Makes the generator.</summary>
    public KubernetesSeries(int seed = 1)
    {
        this.seed = seed;
        for (var i = 0; i < MetricCount; i++)
        {
            metrics[i] = $"{Subjects[i % Subjects.Length]}_{Objects[i / Subjects.Length % Objects.Length]}_{Suffixes[i / (Subjects.Length * Objects.Length)]}";
        }
    }

    /// <summary>The series of this number, from 0; each number is another series.</summary>
    public Labels Get(int number)
    {
        // All metrics of a target share what names it; what tells them apart is the series' own.
        var target = number / MetricCount;
        var random = new Random(HashCode(seed, target));
        var own = new Random(HashCode(seed + 1, number));
        var app = Apps[random.Next(Apps.Length)];
        var pod = $"{app}-{Hex(random, 9)}-{Hex(random, 5)}";
        var builder = new LabelsBuilder()
            .Set(Labels.MetricName, metrics[number % MetricCount])
            .Set("cluster", "eu-west-1-prod-a")
            .Set("container", app)
            .Set("endpoint", "http-metrics")
            .Set("instance", $"10.{target >> 16 & 255}.{target >> 8 & 255}.{target & 255}:8080")
            .Set("job", $"integrations/{app}")
            .Set("namespace", Namespaces[random.Next(Namespaces.Length)])
            .Set("node", $"ip-10-0-{random.Next(256)}-{random.Next(256)}.compute.internal")
            .Set("pod", pod)
            .Set("service", app);
        if (own.Next(10) < 4)
        {
            builder.Set("mode", Modes[own.Next(Modes.Length)]);
        }

        if (own.Next(10) < 2)
        {
            builder.Set("le", (1 << own.Next(10)).ToString());
        }

        return builder.ToLabels();
    }

    /// <summary>The series of numbers 0 to <paramref name="count"/> - 1.</summary>
    public Labels[] Take(int count)
    {
        var series = new Labels[count];
        for (var i = 0; i < count; i++)
        {
            series[i] = Get(i);
        }

        return series;
    }

    // System.HashCode is seeded per process.
    private static int HashCode(int seed, int number) => unchecked((seed * 486187739) + (number * 16777619));

    private static string Hex(Random random, int digits) => string.Create(digits, random, static (to, random) => random.GetHexString(to, lowercase: true));
}
