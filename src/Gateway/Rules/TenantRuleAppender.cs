using Metrics.Cluster;
using Metrics.Model;
using Metrics.Rules;

namespace Metrics.Gateway.Rules;

/// <summary>Writes the results of a tenant's rules through its shards, as a remote write would.</summary>
internal sealed class TenantRuleAppender(ICluster cluster, TenantId id) : IRuleAppender
{
    // Labels come from the tenant's own series and rules; what they are made of has met the limits of writing before.
    private static readonly LabelLimits limits = new();

    private readonly Lock sync = new();
    private TenantWriter? writer;

    /// <inheritdoc/>
    public async ValueTask<RuleAppendResult> AppendAsync(IReadOnlyList<RuleWrite> samples, CancellationToken cancellation)
    {
        var reason = await WriteAsync(samples, areStale: false, cancellation);
        // A stale marker that is refused stands where another rule writes; it is no failure.
        await WriteAsync(samples, areStale: true, cancellation);
        return reason is null ? RuleAppendResult.Done : new RuleAppendResult([], reason);
    }

    /// <summary>Writes the markers, or the others; tells why some were refused.</summary>
    private async ValueTask<string?> WriteAsync(IReadOnlyList<RuleWrite> samples, bool areStale, CancellationToken cancellation)
    {
        var bodyBytes = 0;
        foreach (var sample in samples)
        {
            bodyBytes += sample.IsStale == areStale ? sample.Labels.Encoded.Length : 0;
        }

        if (bodyBytes == 0)
        {
            return null;
        }

        var body = new byte[bodyBytes];
        using var partitioner = (await WriterAsync(cancellation)).Begin<CanonicalLabels>(body);
        var at = 0;
        foreach (var sample in samples)
        {
            if (sample.IsStale != areStale)
            {
                continue;
            }

            var labels = body.AsSpan(at, sample.Labels.Encoded.Length);
            sample.Labels.Encoded.CopyTo(labels);
            at += labels.Length;
            Add(partitioner, labels, sample);
        }

        var outcome = await partitioner.WriteAsync(cancellation);
        if (outcome.Unavailable is { } unavailable)
        {
            throw new IOException(unavailable.Message, unavailable);
        }

        return outcome.Rejections is [var first, ..] ? $"{outcome.Rejected} samples were refused: {first.Example}" : null;
    }

    private static void Add(BatchPartitioner<CanonicalLabels> partitioner, ReadOnlySpan<byte> labels, RuleWrite sample)
    {
        partitioner.BeginSeries(labels);
        if (sample.Histogram is { } histogram)
        {
            partitioner.Add(sample.TimeMs, histogram);
        }
        else
        {
            partitioner.Add(sample.TimeMs, sample.Value);
        }
    }

    private async ValueTask<TenantWriter> WriterAsync(CancellationToken cancellation)
    {
        var tenant = await cluster.OpenTenantAsync(id, cancellation);
        lock (sync)
        {
            return writer is not null && ReferenceEquals(writer.Tenant, tenant) ? writer : writer = new TenantWriter(tenant, limits);
        }
    }
}
