using FsCheck;
using FsCheck.Fluent;
using Metrics.Model;
using Metrics.PromQL.Parsing;
using Xunit;

namespace Metrics.PromQL.Tests.Execution;

/// <summary>Leaves with a label of their own answer as leaves whose series have that label.</summary>
public sealed class LabelledLeafTests
{
    private const long Minute = 60_000;

    private static readonly EngineOptions options = new() { Parsing = ParseOptions.All };

    private static readonly string[] queries =
    [
        "m", "sum(m)", "sum by (__tenant_id__) (m)", "sum without (__tenant_id__) (m)", "topk(2, m)", "m{__tenant_id__=\"b\"}", "m{__tenant_id__!~\"a|b\"}", "count({__tenant_id__=~\".+\"})",
        "m{original___tenant_id__=\"own\"}", "sum by (original___tenant_id__) (m)", "absent(m{__tenant_id__=\"z\"})", "rate(m[2m])", "m / ignoring (__tenant_id__) group_left () (m{__tenant_id__=\"a\"} > 1)",
        "quantile by (A) (0.5, m)", "max_over_time(sum by (__tenant_id__) (m)[2m:1m])", "{__tenant_id__=\"c\"} or on (i) m", "label_replace(m, \"t\", \"$1\", \"__tenant_id__\", \"(.*)\")", "sort(m)", "limitk(3, m)",
    ];

    [Fact]
    public void TheUnionIsAsIfTheLabelHadBeenWritten() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(200),
        Prop.ForAll(Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), (int seed) =>
        {
            var random = new Random(seed);
            var query = queries[random.Next(queries.Length)];
            var written = new MemorySeries();
            var leaves = new List<IQueryLeaf>();
            foreach (var tenant in new[] { "a", "b", "c" })
            {
                var own = new MemorySeries();
                for (var i = random.Next(4); i > 0; i--)
                {
                    var labels = new LabelsBuilder().Set("__name__", random.Next(3) == 0 ? "n" : "m").Set("i", $"{i}");
                    if (random.Next(2) == 0)
                    {
                        labels.Set("A", $"{random.Next(2)}");
                    }

                    var hasOwn = random.Next(4) == 0;
                    double[] values = [random.Next(9), random.Next(9), random.Next(9)];
                    var plain = labels.ToLabels();
                    own.Add(hasOwn ? labels.Set("__tenant_id__", "own").ToLabels() : plain, [0, Minute, 2 * Minute], values);
                    labels.Reset(plain).Set("__tenant_id__", tenant);
                    written.Add(hasOwn ? labels.Set("original___tenant_id__", "own").ToLabels() : labels.ToLabels(), [0, Minute, 2 * Minute], values);
                }

                leaves.AddRange(own.Leaves(random.Next(2), options).Select(l => new LabelledLeaf(l, new AddedLabel(AddedLabel.Tenant, tenant))));
            }

            var (got, want) = (Run(query, leaves), Run(query, written.Leaves(0, options)));
            return (got == want).Label($"{query}: got {got}, want {want}");
        }));

    [Fact]
    public async Task ALeafThatCannotBeReadIsAWarningWhereItIsOptional()
    {
        var data = new MemorySeries().Add(Labels.Of(("__name__", "m")), [0], [1]);
        IQueryLeaf absent = new Failing(new QueryException(QueryErrorKind.Unavailable, "shard 7 is away"));
        IQueryLeaf wrong = new Failing(new QueryException(QueryErrorKind.Execution, "too many samples"));
        var request = new QueryRequest("sum(m)", TimeGrid.Instant(0), false);
        var engine = new QueryEngine(options);
        OptionalLeaf Optional(IQueryLeaf leaf) => new(leaf, e => e is QueryException { Kind: QueryErrorKind.Unavailable });

        using var partial = await engine.ExecuteAsync(request, [.. data.Leaves(0, options).Append(absent).Select(Optional)], default);
        Assert.Equal(["PromQL warning: partial response: shard 7 is away (1:1)"], partial.Warnings);
        Assert.Equal(1, partial.Series.Single().Points.Values[0]);
        await Assert.ThrowsAsync<QueryException>(() => engine.ExecuteAsync(request, [.. data.Leaves(0, options), absent], default).AsTask());
        await Assert.ThrowsAsync<QueryException>(() => engine.ExecuteAsync(request, [.. data.Leaves(0, options).Append(wrong).Select(Optional)], default).AsTask());
    }

    private static string Run(string query, IReadOnlyList<IQueryLeaf> leaves)
    {
        try
        {
            using var result = new QueryEngine(options).ExecuteAsync(new QueryRequest(query, new TimeGrid(0, 2 * Minute, Minute), true), leaves, default).AsTask().GetAwaiter().GetResult();
            return string.Join("; ", result.Series.Select(s => $"{s.Labels} {string.Join(',', s.Points.Times.ToArray().Zip(s.Points.Values.ToArray()))}"));
        }
        catch (QueryException e)
        {
            return e.Message;
        }
    }

    private sealed class Failing(Exception failure) : IQueryLeaf
    {
        public ValueTask<FragmentResult> RunAsync(Fragment fragment, CancellationToken cancellation) => throw failure;
    }
}
