using Xunit;
using Xunit.Abstractions;

namespace Metrics.Simulation;

/// <summary>The protocol in a world that goes wrong in every way we know, thousands of times.</summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    [Fact]
    public void NothingAcknowledgedIsLostOrDoubledWhateverFails()
    {
        var seeds = int.Parse(Environment.GetEnvironmentVariable("SIMULATION_SEEDS") ?? "300");
        var first = int.Parse(Environment.GetEnvironmentVariable("SIMULATION_FIRST") ?? "1");
        if (seeds == 1)
        {
            var story = new SimWorld(first) { Tell = output.WriteLine }.Run();
            output.WriteLine($"{story.Steps} steps, trace {story.Trace:x16}");
        }

        var run = SeedRun.Of(Enumerable.Range(first, seeds));
        output.WriteLine(run.Summary);
        Assert.True(run.Failed.Count == 0, run.Summary);
    }
}
