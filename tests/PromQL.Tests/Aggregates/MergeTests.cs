using FsCheck;
using FsCheck.Fluent;
using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Tests.Execution;
using Xunit;

namespace Metrics.PromQL.Tests.Aggregates;

public sealed class MergeTests
{
    private static readonly EngineOptions options = new() { Parsing = ParseOptions.All };

    [Theory]
    [InlineData("sum")]
    [InlineData("avg")]
    [InlineData("count")]
    [InlineData("group")]
    [InlineData("min")]
    [InlineData("max")]
    [InlineData("stddev")]
    [InlineData("stdvar")]
    public void StatesOfShardsMergeToWhatOneShardComputes(string aggregate) =>
        Check.QuickThrowOnFailure(Prop.ForAll(
            ArbMap.Default.ArbFor<double[]>(),
            values =>
            {
                var data = new MemorySeries();
                for (var i = 0; i < values.Length; i++)
                {
                    data.Add(Labels.Of(("__name__", "m"), ("i", $"{i}"), ("g", $"{i % 3}")), [0], [Math.Clamp(values[i], -1e100, 1e100)]);
                }

                var one = Run(data, $"{aggregate} by (g) (m)", 0);
                var many = Run(data, $"{aggregate} by (g) (m)", 3);

                // Of sums that cancel out nothing may be left but the rounding of their terms, which depends on their order: 1e100 has neighbours 1e84 apart.
                var rounding = aggregate is "sum" or "avg" ? 1e-14 * values.Where(static v => !double.IsNaN(v)).Sum(static v => Math.Min(Math.Abs(v), 1e100)) : 0;
                return one.Count == many.Count && one.All(g => Near(g.Value, many[g.Key], rounding));
            }));

    private static bool Near(double a, double b, double rounding) => a.Equals(b) || Math.Abs(a - b) <= Math.Max(rounding, 1e-9 * Math.Max(Math.Abs(a), Math.Abs(b)));

    private static Dictionary<string, double> Run(MemorySeries data, string query, int bits)
    {
        using var result = new QueryEngine(options).ExecuteAsync(new QueryRequest(query, TimeGrid.Instant(0), false), data.Leaves(bits, options), default)
            .AsTask().GetAwaiter().GetResult();
        return result.Series.ToDictionary(s => s.Labels.ToString(), s => s.Points.Values[0], StringComparer.Ordinal);
    }
}
