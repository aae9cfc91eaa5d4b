using Metrics.Gateway.Cli.Tsdb;
using Metrics.Rules;
using Metrics.Storage;

namespace Metrics.Gateway.Cli.Rules;

/// <summary>Collects what a backfill writes and makes Prometheus blocks of it, one for each chunk of time.</summary>
internal sealed class BackfillBlocks(string directory, TimeProvider time) : IRuleAppender
{
    private readonly Random random = new(unchecked((int)time.GetUtcNow().Ticks));
    private readonly SeriesCollection collected = new();

    /// <inheritdoc/>
    public ValueTask<RuleAppendResult> AppendAsync(IReadOnlyList<RuleWrite> samples, CancellationToken cancellation)
    {
        var rejected = new List<int>();
        for (var i = 0; i < samples.Count; i++)
        {
            var sample = samples[i];
            var series = collected.Of(sample.Labels);
            if (series.Count > 0 && series.Times[^1] >= sample.TimeMs)
            {
                rejected.Add(i);
            }
            else
            {
                series.Add(sample.TimeMs, sample.Value);
            }
        }

        return new(rejected.Count == 0 ? RuleAppendResult.Done : new RuleAppendResult(rejected, "two rules write the same series"));
    }

    /// <summary>Writes a block of what was collected, and forgets it; null when that is nothing.</summary>
    public Ulid? Flush() => collected.Write(directory, Ulid.New(time, random))?.Ulid;
}
