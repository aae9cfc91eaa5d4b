using Xunit;
using Xunit.Abstractions;

namespace Metrics.Simulation;

/// <summary>The protocol in a world that goes wrong in every way we know, thousands of times.</summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    /// <summary>Which seeds: <c>SIMULATION_FIRST</c> and <c>SIMULATION_SEEDS</c> ask for others. A single one tells its story.</summary>
    private static readonly int first = Asked("SIMULATION_FIRST", 1);

    private static readonly int seeds = Asked("SIMULATION_SEEDS", 2000);

    [Fact]
    public void NothingAcknowledgedIsLostOrDoubledWhateverFails()
    {
        if (seeds == 1)
        {
            var story = new SimWorld(first) { Tell = output.WriteLine }.Run();
            output.WriteLine($"{story.Steps} steps, trace {story.Trace:x16}");
        }

        var run = SeedRun.Of(Enumerable.Range(first, seeds));
        output.WriteLine(run.Summary);
        Console.WriteLine(run.Summary);
        Assert.True(run.Failed.Count == 0, run.Summary);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(8)]
    [InlineData(13)]
    public void ASeedIsReplayedExactly(int seed)
    {
        var (once, again, other) = (new SimWorld(seed).Run(), new SimWorld(seed).Run(), new SimWorld(seed + 1).Run());
        Assert.Equal((once.Trace, once.Steps, once.Acknowledged), (again.Trace, again.Steps, again.Acknowledged));
        Assert.NotEqual(once.Trace, other.Trace);
    }

    [Fact]
    public void EveryKindOfFaultHappens()
    {
        var counts = SeedRun.Of(Enumerable.Range(1, 150)).Counts;
        string[] kinds =
        [
            "process killed", "power cut", "process frozen", "network parted", "one way cut", "message lost", "message doubled", "disk full", "disk error", "disk stall", "disk lost", "record rotten",
            "unsynced records lost", "bucket error", "put in doubt", "late put refused", "owner doubled", "owner cut off", "owner fenced", "planned move", "log truncated", "replica swept", "replica laid to rest",
            "change announced", "change done", "change given up", "shard sealed", "shared block rewritten", "shared block removed",
        ];
        Assert.All(kinds, kind => Assert.True(counts.GetValueOrDefault(kind) > 0, kind));
    }

    private static int Asked(string name, int usual) => Environment.GetEnvironmentVariable(name) is { } asked ? int.Parse(asked) : usual;
}
