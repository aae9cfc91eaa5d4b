using Metrics.Gateway.Cli.Tsdb;
using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Gateway.Cli.Migrate;

/// <summary>Copies samples from a server into blocks, and those into another server.</summary>
internal sealed class Migration(ISampleSource from, IReadOnlyList<string> selectors, BlockUploadClient to, string folder, TimeProvider time)
{
    private readonly Random random = new(System.Security.Cryptography.RandomNumberGenerator.GetInt32(int.MaxValue));

    /// <summary>The windows of a range, aligned as blocks are, from the oldest on.</summary>
    public static IEnumerable<TimeRange> Windows(TimeRange range, long windowMs)
    {
        for (var at = range.MinMs; at <= range.MaxMs;)
        {
            var next = (FloorDivision(at, windowMs) + 1) * windowMs;
            yield return new TimeRange(at, Math.Min(next - 1, range.MaxMs));
            at = next;
        }
    }

    /// <summary>Copies what lies in a window; gives how much that was.</summary>
    /// <exception cref="IOException">A server or the disk failed; nothing of the window was copied, or all.</exception>
    public async Task<(int Series, long Samples)> CopyAsync(TimeRange window, CancellationToken cancellation)
    {
        var collected = new SeriesCollection();
        foreach (var selector in selectors)
        {
            await from.ReadAsync(selector, window, collected, cancellation);
        }

        var (series, samples) = (collected.Count, collected.SampleCount);
        Directory.CreateDirectory(folder);
        try
        {
            if (collected.Write(folder, Ulid.New(time, random)) is { } block)
            {
                await to.UploadAsync(Path.Combine(folder, block.Ulid.ToString()), keepLabels: true, cancellation);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        return (series, samples);
    }

    private static long FloorDivision(long value, long by) => (value / by) - (value % by < 0 ? 1 : 0);
}
