using System.Collections.Concurrent;
using Metrics.Model;
using Metrics.PromQL;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>Answers the calls of <see cref="RemoteShard"/> with a shard of this process.</summary>
internal static class ShardServer
{
    /// <summary>A page of raw series ends with the series that makes it longer than this.</summary>
    private const int PageBytes = 4 * 1024 * 1024;

    private static readonly ConcurrentQueue<SampleBatch> Batches = new();
    private static readonly int BatchesKept = 2 * Environment.ProcessorCount;

    /// <summary>Answers a call.</summary>
    /// <param name="id">The shard that was called.</param>
    /// <param name="shard">It, when it is open here.</param>
    /// <param name="call">The call.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="OperationCanceledException">Cancelled. All else that goes wrong is an answer.</exception>
    public static async ValueTask<ReadOnlyMemory<byte>> AnswerAsync(ShardId id, Shard? shard, ReadOnlyMemory<byte> call, CancellationToken cancellation)
    {
        try
        {
            return (await AnswerAsync(shard ?? throw new ShardUnavailableException(id, "it is not open on the node that was asked"), call, cancellation)).Written;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception e) when (TenantAsking.IsMove(e))
        {
            return ShardMessage.Begin(ShardAnswer.Moved).Written;
        }
        catch (ShardUnavailableException e)
        {
            return Refusal(ShardAnswer.Unavailable, e.Reason);
        }
        catch (QueryException e)
        {
            var to = ShardMessage.Begin(ShardAnswer.QueryFailed);
            to.Byte((byte)e.Kind);
            to.Text(e.Message);
            return to.Written;
        }
        catch (InvalidDataException e)
        {
            return Refusal(ShardAnswer.Malformed, e.Message);
        }
        catch (Exception e)
        {
            return Refusal(ShardAnswer.Failed, $"{e.GetType().Name}: {e.Message}");
        }
    }

    private static ReadOnlyMemory<byte> Refusal(ShardAnswer kind, string why)
    {
        var to = ShardMessage.Begin(kind);
        to.Text(why);
        return to.Written;
    }

    private static async ValueTask<ByteWriter> AnswerAsync(Shard shard, ReadOnlyMemory<byte> call, CancellationToken cancellation)
    {
        var to = ShardMessage.Begin(ShardAnswer.Done);
        switch (KindOf(call))
        {
            case ShardCall.Append:
                await AppendAsync(shard, call, to, cancellation);
                break;
            case ShardCall.Run:
                using (var result = await shard.RunAsync(Body(call, FragmentBytes.Read), cancellation))
                {
                    FragmentResultBytes.Write(to, result);
                }

                break;
            case ShardCall.Read:
                await ReadAsync(shard, Body(call, ReadPage.Read), to, cancellation);
                break;
            case ShardCall.Series:
                ShardMessage.Write(to, await shard.SeriesAsync(Body(call, ShardMessage.Query), cancellation));
                break;
            case ShardCall.LabelNames:
                ShardMessage.Write(to, await shard.LabelNamesAsync(Body(call, ShardMessage.Query), cancellation));
                break;
            case ShardCall.LabelValues:
                var (name, query) = Body(call, static (ref ByteReader from) => (from.Text(), ShardMessage.Query(ref from)));
                ShardMessage.Write(to, await shard.LabelValuesAsync(name, query, cancellation));
                break;
            case ShardCall.Exemplars:
                AnswerBytes.Write(to, await shard.ExemplarsAsync(Body(call, ShardMessage.Query), cancellation));
                break;
            case ShardCall.Statistics:
                AnswerBytes.Write(to, shard.Statistics);
                break;
            case ShardCall.Flush:
                await shard.FlushAsync(cancellation);
                break;
            case ShardCall.Delete:
                await shard.DeleteAsync(Body(call, ShardMessage.Query), cancellation);
                break;
            case ShardCall.CleanDeleted:
                await shard.CleanDeletedAsync(cancellation);
                break;
            case ShardCall.History:
                AnswerBytes.Write(to, await shard.HistoryAsync(cancellation));
                break;
            case ShardCall.Cardinality:
                CardinalityBytes.Write(to, await shard.CardinalityAsync(Body(call, CardinalityBytes.Query), cancellation));
                break;
            case ShardCall.Adopt:
                await shard.AdoptAsync(Body(call, static (ref ByteReader from) => Ulid.TryParse(from.Text(), out var block) ? block : throw new InvalidDataException("the name of a block is no ULID")), cancellation);
                break;
            case ShardCall.Publish:
                await shard.PublishAsync(cancellation);
                break;
            case var unknown:
                throw new InvalidDataException($"a call of kind {(byte)unknown}");
        }

        return to;
    }

    private static async ValueTask AppendAsync(Shard shard, ReadOnlyMemory<byte> call, ByteWriter to, CancellationToken cancellation)
    {
        var batch = Batches.TryDequeue(out var kept) ? kept : new SampleBatch();
        try
        {
            Decode(call, batch);
            AnswerBytes.Write(to, await shard.AppendAsync(batch, cancellation));
        }
        finally
        {
            batch.Clear();
            if (Batches.Count < BatchesKept)
            {
                Batches.Enqueue(batch);
            }
        }

        static void Decode(ReadOnlyMemory<byte> call, SampleBatch into)
        {
            var from = new ByteReader(call.Span);
            ShardMessage.Call(ref from);
            BatchBytes.Read(call[^from.Remaining..], into);
        }
    }

    /// <summary>A page: per series 1, labels and samples; then 0, and whether there is more.</summary>
    private static async ValueTask ReadAsync(Shard shard, ReadPage page, ByteWriter to, CancellationToken cancellation)
    {
        var hasMore = false;
        await foreach (var series in shard.ReadAsync(page.Matchers, page.Range, page.After, cancellation))
        {
            if (to.Length >= PageBytes)
            {
                hasMore = true;
                break;
            }

            to.Bool(true);
            to.Block(series.Labels.Encoded);
            SampleBytes.Write(to, series.Samples);
        }

        to.Bool(false);
        to.Bool(hasMore);
    }

    private static ShardCall KindOf(ReadOnlyMemory<byte> call)
    {
        var from = new ByteReader(call.Span);
        return ShardMessage.Call(ref from);
    }

    private static T Body<T>(ReadOnlyMemory<byte> call, Taking<T> take)
    {
        var from = new ByteReader(call.Span);
        ShardMessage.Call(ref from);
        var body = take(ref from);
        from.End();
        return body;
    }
}

/// <summary>Takes something off bytes.</summary>
internal delegate T Taking<out T>(ref ByteReader from);

/// <summary>The call for a page of raw series.</summary>
/// <param name="Matchers">The series wanted.</param>
/// <param name="Range">The time wanted.</param>
/// <param name="After">Only series after these labels; empty for the first page.</param>
internal sealed record ReadPage(IReadOnlyList<Matcher> Matchers, TimeRange Range, Labels After)
{
    /// <summary>Writes the call's body.</summary>
    public void Write(ByteWriter to)
    {
        ShardMessage.Write(to, Matchers);
        ShardMessage.Write(to, Range);
        to.Block(After.Encoded);
    }

    /// <summary>Reads the call's body.</summary>
    public static ReadPage Read(ref ByteReader from) => new(ShardMessage.Matchers(ref from), ShardMessage.Range(ref from), from.Labels());
}
