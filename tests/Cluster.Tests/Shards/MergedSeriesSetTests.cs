using FsCheck;
using FsCheck.Fluent;
using Metrics.Model;

namespace Metrics.Cluster.Tests;

public sealed class MergedSeriesSetTests
{
    [Fact]
    public void MergedSetsReadAsTheUnionOfTheirSamples() => Prop.ForAll<(byte Series, byte Time)[][]>(input =>
    {
        // A sample's value follows from its series and time, as in a shard, where both copies of a sample are the same.
        var sources = input.Select(set => ListSeriesSet.Of(set.Distinct().Select(s => (Name(s.Series), (long)s.Time, (s.Series % 4 * 1000.0) + s.Time))
            .Distinct())).ToArray();
        var want = input.SelectMany(s => s).Select(s => (Name(s.Series).ToString(), (long)s.Time, (s.Series % 4 * 1000.0) + s.Time)).Distinct().Order();
        var merged = MergedSeriesSet.Of(sources, default);
        var got = new List<(string, long, double)>();
        for (var i = 0; i < merged.Count; i++)
        {
            using var samples = new SampleBuffer();
            merged.Read(i, samples);
            for (var at = 0; at < samples.Count; at++)
            {
                Assert.True(at == 0 || samples.Times[at] > samples.Times[at - 1]);
                got.Add((merged.LabelsOf(i).ToString(), samples.Times[at], samples.Values[at]));
            }
        }

        merged.Dispose();
        return got.Order().SequenceEqual(want) && sources.All(s => s.IsDisposed);
    }).QuickCheckThrowOnFailure();

    private static Labels Name(byte series) => Labels.Of(("__name__", $"m{series % 4}"));
}
