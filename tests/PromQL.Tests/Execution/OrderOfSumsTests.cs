using Metrics.Model;
using Metrics.PromQL.Parsing;
using Xunit;

namespace Metrics.PromQL.Tests.Execution;

/// <summary>Sums of floats depend on the order of what is added. That order is to depend on the series alone: an answer that is put together from parts of its range must be, to the bit, that of the whole.</summary>
public sealed class OrderOfSumsTests
{
    private const int Seed = 20;
    private const long Minute = 60_000;
    private const int First = 10;
    private const int Last = 40;

    private static readonly EngineOptions options = new() { Parsing = ParseOptions.All };

    /// <summary>What is summed is made by operators that meet series in the order in which they turn up, which is another one for each range: half of them begin late, some end early.</summary>
    [Theory]
    [InlineData("stddev(m * on (g) group_left () n)")]
    [InlineData("sum(m * on (i) k)")]
    [InlineData("stdvar by (g) (m + on (i, g) k)")]
    [InlineData("avg(m or on (i) k)")]
    [InlineData("stddev(abs(k) or abs(m))")]
    [InlineData("stddev by (g) (abs(m * on (g) group_left () n))")]
    [InlineData("stddev(topk(20, m))")]
    [InlineData("stddev(sum by (i) (m) - on (i) sum by (i) (k))")]
    [InlineData("stddev(-{__name__=~\"m|k\", i=~\"a.*\"})")]
    [InlineData("stddev(sum by (g) (m))")]
    [InlineData("sum(m and on (i) k)")]
    public async Task PartsOfARangeGiveWhatTheWholeGives(string query)
    {
        foreach (var bits in new[] { 0, 2 })
        {
            var whole = await RunAsync(query, First, Last, bits);
            Assert.NotEmpty(whole);
            for (var length = 1; length < Last - First; length += 7)
            {
                var parts = new Dictionary<(Labels Labels, long AtMs), long>();
                for (var from = First; from <= Last; from += length)
                {
                    foreach (var (at, value) in await RunAsync(query, from, Math.Min(Last, from + length - 1), bits))
                    {
                        parts.Add(at, value);
                    }
                }

                Assert.Equal(Sorted(whole), Sorted(parts));
            }
        }
    }

    private static IEnumerable<KeyValuePair<(Labels Labels, long AtMs), long>> Sorted(Dictionary<(Labels Labels, long AtMs), long> values) =>
        values.OrderBy(static v => v.Key.AtMs).ThenBy(static v => v.Key.Labels);

    /// <summary>Values by series and instant, as bits.</summary>
    private static async Task<Dictionary<(Labels Labels, long AtMs), long>> RunAsync(string query, int from, int to, int bits)
    {
        using var result = await new QueryEngine(options).ExecuteAsync(new QueryRequest(query, new TimeGrid(from * Minute, to * Minute, Minute), true), Data().Leaves(bits, options), default);
        return result.Series
            .SelectMany(static s => Enumerable.Range(0, s.Points.Count).Select(i => (Key: (s.Labels, s.Points.Times[i]), Bits: BitConverter.DoubleToInt64Bits(s.Points.Values[i]))))
            .ToDictionary(static p => p.Key, static p => p.Bits);
    }

    private static MemorySeries Data()
    {
        var random = new Random(Seed);
        var data = new MemorySeries();
        for (var i = 0; i < 80; i++)
        {
            foreach (var name in new[] { "m", "k" })
            {
                // No i is of both names where it begins with an a, and then the two are one series without them.
                if (i % 4 == 0 && (i % 8 == 0) == (name == "m"))
                {
                    continue;
                }

                var times = Enumerable.Range(random.Next(Last), random.Next(5, Last)).Select(static t => t * Minute).ToArray();
                data.Add(Labels.Of(("__name__", name), ("g", $"{i % 3}"), ("i", i % 4 == 0 ? $"a{i}" : $"{i}")), times, [.. times.Select(_ => random.NextDouble() * Math.Pow(10, random.Next(6)))]);
            }
        }

        var always = Enumerable.Range(0, Last + 1).Select(static t => t * Minute).ToArray();
        for (var g = 0; g < 3; g++)
        {
            data.Add(Labels.Of(("__name__", "n"), ("g", $"{g}")), always, [.. always.Select(_ => random.NextDouble())]);
        }

        return data;
    }
}
