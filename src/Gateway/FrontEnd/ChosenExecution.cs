using Metrics.Cluster;
using Metrics.Gateway.QueryApi;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Gateway.FrontEnd;

/// <summary>How one query, and each part of it, is evaluated over a tenant's shards: as its request wants replicas and missing shards treated. Thread-safe.</summary>
internal sealed class ChosenExecution(QueryExecution execute, EngineOptions engine, ReplicaChoice choice)
{
    private readonly IReadOnlyList<string> replicaLabels = choice.Labels;

    // Once an answer had to do without a shard. It carries warnings, and so is neither kept nor put together from parts.
    private volatile bool hasLacked;

    /// <summary>What an answer that lacks nothing depends on besides the query: equal choices have equal ones.</summary>
    public string Key => choice.LabelText;

    /// <summary>True when an answer without the shards that are away will do.</summary>
    public bool IsPartial => choice.IsPartial;

    /// <summary>Evaluates a query.</summary>
    /// <param name="query">The query, or a part of one.</param>
    /// <param name="shards">The tenant's shards.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="QueryException">The engine refused, or a shard is away that is wanted.</exception>
    public async ValueTask<QueryResult> ExecuteAsync(QueryRequest query, IReadOnlyList<IShard> shards, CancellationToken cancellation)
    {
        var missing = IsPartial ? new PartialWarnings() : null;
        var result = replicaLabels.Count > 0 ? await ChainedAsync(query, shards, missing, cancellation)
            : await execute(query, missing is null ? shards : [.. shards.Select(s => new PartialLeaf(s, missing))], cancellation);
        if (missing is not { Texts.Count: > 0 })
        {
            return result;
        }

        hasLacked = true;
        return missing.AddTo(result);
    }

    /// <summary>Remembers that the answer to a query carries remarks; those about shards that are away hold for this answer alone.</summary>
    public void Remark(ResultCache? cache, TenantId tenant, string key)
    {
        if (!hasLacked)
        {
            cache?.Remark(tenant, key);
        }
    }

    private async ValueTask<QueryResult> ChainedAsync(QueryRequest query, IReadOnlyList<IShard> shards, PartialWarnings? missing, CancellationToken cancellation)
    {
        var source = new ReplicaSource(shards, replicaLabels, query.Bounds.SamplesUnder(engine.MaxSamples), query.Bounds, engine.Memory, missing);
        var result = await execute(query, [new LocalLeaf(source, engine, query.Tenant)], cancellation);

        // The leaf knows but the chains.
        source.CopyTo(result.Statistics);
        return result;
    }
}
