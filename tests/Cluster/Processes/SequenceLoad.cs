using System.Diagnostics;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.Cluster.Silos.Processes;

/// <summary>Writers that go on while something happens to silos.</summary>
internal static class SequenceLoad
{
    /// <summary>Most tests that start silos run one after the other: two cores carry few that keep silos busy. Those that wait for a long time are not among them.</summary>
    public const string Collection = "Silo processes";

    /// <summary>Runs writers while something happens; then checks every sample.</summary>
    /// <returns>The longest time for which a writer got nothing through.</returns>
    public static async Task<TimeSpan> RunAsync(SiloLab lab, ITestOutputHelper log, Func<Task> act)
    {
        try
        {
            var writers = Enumerable.Range(0, 3).Select(w => new SequenceWriter(lab, w)).ToList();
            using var stop = new CancellationTokenSource();
            var clock = Stopwatch.StartNew();
            var writing = Task.WhenAll(writers.Select(w => Task.Run(() => w.RunAsync(stop.Token))));
            try
            {
                await Task.WhenAny(Task.Delay(2000), writing);
                await act();
            }
            finally
            {
                await stop.CancelAsync();
            }

            await writing;
            foreach (var writer in writers)
            {
                Assert.True(writer.Acknowledged > 10, "a writer got nothing through");
                await writer.VerifyAsync();
            }

            var longest = writers.Max(static w => w.LongestPause);
            log.WriteLine($"{writers.Sum(static w => w.Acknowledged)} batches acknowledged in {clock.Elapsed.TotalSeconds:F0} s, {writers.Sum(static w => w.Failed)} sent again; the longest pause of a writer was {longest.TotalSeconds:F1} s");
            return longest;
        }
        catch
        {
            log.WriteLine(lab.Outputs());
            throw;
        }
    }
}
