using Metrics.Model;
using Metrics.PromQL.Parsing;
using Xunit;

namespace Metrics.PromQL.Tests.Execution;

/// <summary>Where a result does not depend on all labels of the series it is made from, these are not made.</summary>
public sealed class SelectionLabelTests
{
    private const long Minute = 60_000;
    private const int Series = 2_000;

    private static readonly EngineOptions options = new() { Parsing = ParseOptions.All };

    [Theory]
    [InlineData("count(m)", "{}: 2000 2000")]
    [InlineData("count(m) by (j)", "{j=\"0\"}: 1000 1000; {j=\"1\"}: 1000 1000")]
    [InlineData("count without (i, j) (m)", "{}: 2000 2000")]
    [InlineData("sum(m)", "{}: 1999000 2001000")]
    [InlineData("avg by (__name__) (m)", "m: 999.5 1000.5")]
    [InlineData("sum by (__name__) (rate(m[2m]))", "{}: _ 33.325")]
    [InlineData("max by (j) (max_over_time(m[2m]) > 1000)", "{j=\"0\"}: 1998 1999; {j=\"1\"}: 1999 2000")]
    [InlineData("sum(-abs(m * 2))", "{}: -3998000 -4002000")]
    [InlineData("min(max_over_time(m[2m:1m]))", "{}: 0 1")]
    [InlineData("round(stddev by (j) (m), 0.001)", "{j=\"0\"}: 577.35 577.35; {j=\"1\"}: 577.35 577.35")]
    [InlineData("quantile by (j) (0.5, m)", "{j=\"0\"}: 999 1000; {j=\"1\"}: 1000 1001")]
    [InlineData("count(count_values by (j) (\"v\", m))", "{}: 2000 2000")]
    [InlineData("count by (j) (m and on (i) m{i=~\"1..\"})", "{j=\"0\"}: 50 50; {j=\"1\"}: 50 50")]
    [InlineData("sum by (j) (m unless on (j) m{j=\"1\"})", "{j=\"0\"}: 999000 1000000")]
    public async Task AnAggregationMakesNoLabelsOfItsSeries(string query, string expected)
    {
        foreach (var bits in new[] { 0, 2 })
        {
            IReadOnlyList<IQueryLeaf> leaves = [.. HashRange.Partition(bits).Select(range => new LocalLeaf(new Unlabelled(range), options))];
            using var result = await new QueryEngine(options).ExecuteAsync(new QueryRequest(query, new TimeGrid(0, Minute, Minute), IsRange: true), leaves, CancellationToken.None);
            Assert.Equal(expected, string.Join("; ", result.Series.Select(Text)));
        }
    }

    [Fact]
    public async Task ASumIsTheSameToTheBitInWhateverOrderASourceHasItsSeries()
    {
        var random = new Random(7);
        var series = Enumerable.Range(0, 3_000).Select(i => (Labels: Labels.Of(("__name__", "m"), ("i", $"{i}")), Value: Math.ScaleB(random.NextDouble() - 0.5, random.Next(-600, 600)))).ToArray();
        var sums = new HashSet<long>();
        for (var order = 0; order < 4; order++)
        {
            random.Shuffle(series);
            var source = new MemorySeries();
            foreach (var (labels, value) in series)
            {
                source.Add(labels, [0], [value]);
            }

            using var result = await new QueryEngine(options).ExecuteAsync(new QueryRequest("stddev(m) + sum(m)", TimeGrid.Instant(0), IsRange: false), [new LocalLeaf(source, options)], CancellationToken.None);
            sums.Add(BitConverter.DoubleToInt64Bits(result.Series[0].Points.Values[0]));
        }

        Assert.Single(sums);
    }

    private static string Text(ResultSeries series)
    {
        var values = new List<string>();
        for (var step = 0; step < 2; step++)
        {
            var at = series.Points.Times.IndexOf(step * Minute);
            values.Add(at < 0 ? "_" : series.Points.Values[at].ToString("R", System.Globalization.CultureInfo.InvariantCulture));
        }

        return $"{series.Labels}: {string.Join(' ', values)}";
    }

    /// <summary>Series that tell everything about their labels but the labels. Series i has the value i at 0, and i + 1 a minute later.</summary>
    private sealed class Unlabelled(HashRange range) : ISeriesSource
    {
        public ValueTask<ISeriesSet> SelectAsync(SeriesSelection selection, CancellationToken cancellation)
        {
            var found = Enumerable.Range(0, Series).Select(i => (Labels: Labels.Of(("__name__", "m"), ("i", $"{i}"), ("j", $"{i % 2}")), Number: i))
                .Where(s => range.Contains(s.Labels.Hash) && Matcher.AllMatch(selection.Matchers, s.Labels));
            return new ValueTask<ISeriesSet>(new Found([.. found]));
        }

        private sealed class Found((Labels Labels, int Number)[] found) : ISeriesSet
        {
            public int Count => found.Length;

            public Labels LabelsOf(int index) => throw new InvalidOperationException("nobody is to ask for the labels of a series");

            public ulong HashOf(int index) => found[index].Labels.Hash;

            public ReadOnlySpan<byte> LabelBytesOf(int index, ref byte[] scratch) => found[index].Labels.Encoded;

            public void Read(int index, SampleBuffer into)
            {
                into.Add(0, found[index].Number);
                into.Add(Minute, found[index].Number + 1);
            }

            public void Dispose()
            {
            }
        }
    }
}
