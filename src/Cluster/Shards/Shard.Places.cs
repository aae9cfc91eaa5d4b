using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Batches that carry series wait for their places first, where these are shared with other processes.</summary>
internal sealed partial class Shard
{
    /// <inheritdoc/>
    public ValueTask<AppendResult> AppendAsync(SampleBatch batch, CancellationToken cancellation) =>
        batch.NewSeriesCount > 0 && store?.ActiveSeries is { IsShared: true } places ? AppendWithPlacesAsync(places, batch, cancellation) : AppendBatchAsync(batch, cancellation);

    private async ValueTask<AppendResult> AppendWithPlacesAsync(ActiveSeries places, SampleBatch batch, CancellationToken cancellation)
    {
        var series = batch.NewSeriesCount;
        await places.ReserveAsync(series);
        var made = 0;
        try
        {
            var result = await AppendBatchAsync(batch, cancellation);
            made = result.SeriesMade;
            return result;
        }
        finally
        {
            places.Release(series - made);
        }
    }
}
