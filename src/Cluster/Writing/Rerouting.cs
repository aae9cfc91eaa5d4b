using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Sends what shards refused, because they were split or merged, to those that own it now. Cold: a few requests meet it when a map changes.</summary>
/// <remarks>Labels are taken from the request again, since references and batches are of the old shards.</remarks>
internal sealed class Rerouting<TFormat>(TenantWriter writer, SeriesNormalizer normalizer, RejectionTally tally)
    where TFormat : struct, ILabelFormat
{
    /// <summary>Samples taken.</summary>
    public int Accepted { get; private set; }

    /// <summary>Of those, the native histograms.</summary>
    public int AcceptedHistograms { get; private set; }

    /// <summary>Exemplars taken.</summary>
    public int AcceptedExemplars { get; private set; }

    /// <summary>Why some of it could not be taken, or null.</summary>
    public ShardUnavailableException? Unavailable { get; private set; }

    /// <summary>Sends the parts; returns when all are durable, or when it gives up.</summary>
    /// <param name="refused">The parts, of a route that is not in force any more or will not be in a moment.</param>
    /// <param name="route">That route.</param>
    /// <param name="body">The request.</param>
    /// <param name="aside">Labels that were kept outside of it.</param>
    /// <param name="cancellation">Ends it.</param>
    public async ValueTask SendAsync(List<(ShardId Shard, ShardPart Part)> refused, TenantWriter.Route route, ReadOnlyMemory<byte> body, ReadOnlyMemory<byte> aside, CancellationToken cancellation)
    {
        for (var attempt = 1; refused.Count > 0; attempt++)
        {
            if (attempt == TenantAsking.TriesMax)
            {
                Unavailable = new ShardUnavailableException(refused[0].Shard, "it is being split or merged");
                return;
            }

            try
            {
                await writer.Tenant.RefreshAsync(route.Shards, cancellation);
            }
            catch (ShardUnavailableException e)
            {
                Unavailable = e;
                return;
            }

            route = writer.CurrentRoute();
            refused = await SendAsync(Regrouped(refused, route, body.Span, aside.Span), route, cancellation);
            if (Unavailable is not null)
            {
                return;
            }
        }
    }

    private ShardPart?[] Regrouped(List<(ShardId Shard, ShardPart Part)> refused, TenantWriter.Route route, ReadOnlySpan<byte> body, ReadOnlySpan<byte> aside)
    {
        var parts = new ShardPart?[route.Shards.Count];
        foreach (var (_, part) in refused)
        {
            part.CarryInto<TFormat>(body, aside, normalizer, hash => parts[route.ShardOf(hash)] ??= new ShardPart());
        }

        return parts;
    }

    private async ValueTask<List<(ShardId Shard, ShardPart Part)>> SendAsync(ShardPart?[] parts, TenantWriter.Route route, CancellationToken cancellation)
    {
        var answers = new Task<AppendResult>?[parts.Length];
        for (var i = 0; i < parts.Length; i++)
        {
            if (parts[i] is { } part)
            {
                answers[i] = AppendAsync(route.Shards[i], part.Batch, cancellation);
            }
        }

        var refused = new List<(ShardId, ShardPart)>();
        for (var i = 0; i < parts.Length; i++)
        {
            if (answers[i] is not { } answer)
            {
                continue;
            }

            try
            {
                var result = await answer;
                if (result.Status == AppendStatus.Done)
                {
                    Accepted += result.Accepted;
                    AcceptedHistograms += result.AcceptedHistograms;
                    AcceptedExemplars += result.AcceptedExemplars;
                    tally.Add(result.Rejections);
                    route.Remember(i, parts[i]!, result);
                }
                else
                {
                    refused.Add((route.Shards[i].Id, parts[i]!));
                }
            }
            catch (ShardUnavailableException e) when (e.IsMoved)
            {
                refused.Add((route.Shards[i].Id, parts[i]!));
            }
            catch (ShardUnavailableException e)
            {
                Unavailable ??= e;
            }
        }

        return refused;
    }

    private static async Task<AppendResult> AppendAsync(IShard shard, SampleBatch batch, CancellationToken cancellation) => await shard.AppendAsync(batch, cancellation);
}
