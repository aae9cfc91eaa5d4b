using System.Diagnostics;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.Cluster.Silos.Processes;

/// <summary>Writers and a reader that go on while something happens to silos.</summary>
internal static class SequenceLoad
{
    /// <summary>Most tests that start silos run one after the other: two cores carry few that keep silos busy. Those that wait for a long time are not among them.</summary>
    public const string Collection = "Silo processes";

    /// <summary>A shard that is lost is served elsewhere within seconds: those of missing a silo (3 s here; one that is cut off refuses nothing, and is waited for longer), of taking over and, on two cores that all silos and writers share, of waiting.</summary>
    public static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(30);

    /// <summary>As below, while something happens that leaves somebody to write to all the time.</summary>
    public static Task RunAsync(SiloLab lab, ITestOutputHelper log, Func<Task> act) => RunAsync(lab, log, _ => act(), isAllLost: false);

    /// <summary>Runs writers while something happens, and a reader that holds every answer against what was acknowledged before it asked; then checks every sample.</summary>
    /// <param name="lab">The silos.</param>
    /// <param name="log">Is told how it went.</param>
    /// <param name="act">What happens; it is told how long a writer got nothing through, at most, so far.</param>
    /// <param name="isAllLost">True when what happens leaves nobody to write to for a while.</param>
    public static async Task RunAsync(SiloLab lab, ITestOutputHelper log, Func<Func<TimeSpan>, Task> act, bool isAllLost)
    {
        try
        {
            var writers = Enumerable.Range(0, 3).Select(w => new SequenceWriter(lab, w)).ToList();
            using var stop = new CancellationTokenSource();
            var clock = Stopwatch.StartNew();
            var reader = new SequenceReader(lab, writers[0]);
            var writing = Task.WhenAll(writers.Select(w => Task.Run(() => w.RunAsync(stop.Token))).Append(Task.Run(() => reader.RunAsync(stop.Token))));
            try
            {
                await Task.WhenAny(Task.Delay(2000), writing);
                await act(() => writers.Max(static w => w.LongestPause));
            }
            catch (Exception e)
            {
                // Without writers nobody opens shards: where one has failed, that is the failure to show.
                log.WriteLine(e.ToString());
                await stop.CancelAsync();
                await writing;
                throw;
            }

            await stop.CancelAsync();
            await writing;
            foreach (var writer in writers)
            {
                Assert.True(writer.Acknowledged > 10, "a writer got nothing through");
                await writer.VerifyAsync();
            }

            var longest = writers.Max(static w => w.LongestPause);
            log.WriteLine($"{writers.Sum(static w => w.Acknowledged)} batches acknowledged in {clock.Elapsed.TotalSeconds:F0} s, {writers.Sum(static w => w.Failed)} sent again; the longest pause of a writer was {longest.TotalSeconds:F1} s");
            log.WriteLine($"{reader.Whole} answers were whole, {reader.Partial} lacked something and said so, {reader.Refused} questions got none; the longest time without a whole answer was {reader.LongestPause.TotalSeconds:F1} s");
            Assert.True(reader.Whole > 10, "the reader got no answers");
            Assert.True(isAllLost || longest < PauseMax, $"writes paused for {longest}");
        }
        catch
        {
            log.WriteLine(lab.Outputs());
            throw;
        }
    }
}
