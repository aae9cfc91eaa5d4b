using System.Text;
using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Gateway.Tests.Rules;

/// <summary>Two processes that share rules, of which one, n2, is made up: it shows the group "remote".</summary>
internal sealed class FakeRuleCluster : IRuleCluster, IRulePeer
{
    private readonly List<TenantId> reloaded = [];
    private volatile string[] evaluators = ["n1", "n2"];

    /// <summary>Who evaluates rules.</summary>
    public string[] Evaluators
    {
        get => evaluators;
        set => evaluators = value;
    }

    /// <summary>With what the other one fails; null for not at all.</summary>
    public IOException? Failure { get; set; }

    /// <summary>The tenants whose rules the other one was told to take anew.</summary>
    public IReadOnlyList<TenantId> Reloaded => reloaded;

    /// <inheritdoc/>
    public RuleShares Shares => new("n1", evaluators);

    /// <inheritdoc/>
    public IReadOnlyList<IRulePeer> Others => evaluators.Length > 1 ? [this] : [];

    /// <inheritdoc/>
    public string Name => "n2";

    /// <inheritdoc/>
    public void Serve(IRulePeer? self)
    {
    }

    /// <inheritdoc/>
    public ValueTask<ReadOnlyMemory<byte>> ShowAsync(TenantId tenant, string filter, CancellationToken cancellation)
    {
        if (Failure is { } failure)
        {
            throw failure;
        }

        var isAsked = !filter.Contains("none", StringComparison.Ordinal);
        var group = """
            {"name":"remote","file":"z","rules":[{"state":"firing","name":"A","query":"up","labels":{},"alerts":[{"labels":{"alertname":"A"},"state":"firing"}],"type":"alerting"}],
             "interval":60,"limit":0,"evaluationTime":0.1,"lastEvaluation":"2026-01-02T03:04:05.6Z"}
            """;
        return ValueTask.FromResult<ReadOnlyMemory<byte>>(Encoding.UTF8.GetBytes($$"""{"groups":[{{(isAsked ? group : "")}}],"alertmanagers":["http://am/"]}"""));
    }

    /// <inheritdoc/>
    public ValueTask ReloadAsync(TenantId tenant, CancellationToken cancellation)
    {
        if (Failure is { } failure)
        {
            throw failure;
        }

        reloaded.Add(tenant);
        return ValueTask.CompletedTask;
    }
}
