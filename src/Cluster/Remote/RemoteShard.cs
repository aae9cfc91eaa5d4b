using System.Runtime.CompilerServices;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>A shard elsewhere, as the gateway sees it: each call is one message through a channel. Thread-safe.</summary>
/// <remarks>Questions that can't be answered are asked again for a while, for the shard may be opening on another node just now: <see cref="RetriesMax"/> times, as long as the asker has time. Appends are the sender's to repeat.</remarks>
/// <param name="id">Which shard.</param>
/// <param name="channel">The way to its owner.</param>
/// <param name="store">Where its blocks are, for snapshots.</param>
/// <param name="time">The clock.</param>
public sealed class RemoteShard(ShardId id, IShardChannel channel, IObjectStore store, TimeProvider time) : IShard
{
    /// <summary>How old <see cref="Statistics"/> may be before they are asked for again.</summary>
    public static readonly TimeSpan StatisticsFor = TimeSpan.FromSeconds(5);

    /// <summary>How often a question is asked again.</summary>
    public const int RetriesMax = 5;

    /// <summary>How long the asker waits before the first time; twice as long before each further one, six seconds in all: as long as it takes in practice to miss a silo.</summary>
    public static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(200);

    /// <summary>An owner that does not answer, or is being opened, holds up each try: no further one begins after this.</summary>
    public static readonly TimeSpan RetryWithin = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private ShardStatistics statistics;
    private long? askedAt;

    /// <inheritdoc/>
    public ShardId Id => id;

    /// <summary>Counts as the owner last gave them, zeros before it did. Looking at old ones asks for new ones, which the next look finds.</summary>
    public ShardStatistics Statistics
    {
        get
        {
            lock (gate)
            {
                if (askedAt is not { } at || time.GetElapsedTime(at) >= StatisticsFor)
                {
                    askedAt = time.GetTimestamp();
                    _ = AskAgainAsync();
                }

                return statistics;
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask<ShardStatistics> StatisticsAsync(CancellationToken cancellation)
    {
        var now = await CallAsync(ShardMessage.Begin(ShardCall.Statistics), AnswerBytes.Statistics, cancellation);
        lock (gate)
        {
            statistics = now;
        }

        return now;
    }

    /// <inheritdoc/>
    public ValueTask<AppendResult> AppendAsync(SampleBatch batch, CancellationToken cancellation)
    {
        var call = ShardMessage.Begin(ShardCall.Append, 16);
        BatchBytes.Write(call, batch);
        return CallAsync(call, AnswerBytes.AppendResult, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<FragmentResult> RunAsync(Fragment fragment, CancellationToken cancellation)
    {
        var call = ShardMessage.Begin(ShardCall.Run);
        FragmentBytes.Write(call, fragment);
        return AskAsync(call, FragmentResultBytes.Read, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<Labels>> SeriesAsync(LabelQuery query, CancellationToken cancellation) =>
        AskAsync<IReadOnlyList<Labels>>(Asking(ShardCall.Series, query), ShardMessage.Series, cancellation);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<string>> LabelNamesAsync(LabelQuery query, CancellationToken cancellation) =>
        AskAsync<IReadOnlyList<string>>(Asking(ShardCall.LabelNames, query), ShardMessage.Texts, cancellation);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<string>> LabelValuesAsync(string name, LabelQuery query, CancellationToken cancellation)
    {
        var call = ShardMessage.Begin(ShardCall.LabelValues);
        call.Text(name);
        ShardMessage.Write(call, query);
        return AskAsync<IReadOnlyList<string>>(call, ShardMessage.Texts, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<SeriesExemplars>> ExemplarsAsync(LabelQuery query, CancellationToken cancellation) =>
        AskAsync<IReadOnlyList<SeriesExemplars>>(Asking(ShardCall.Exemplars, query), AnswerBytes.Exemplars, cancellation);

    /// <inheritdoc/>
    public ValueTask<ShardHistory> HistoryAsync(CancellationToken cancellation) => CallAsync(ShardMessage.Begin(ShardCall.History), AnswerBytes.History, cancellation);

    /// <inheritdoc/>
    public ValueTask<ShardCardinality> CardinalityAsync(CardinalityQuery query, CancellationToken cancellation)
    {
        var call = ShardMessage.Begin(ShardCall.Cardinality);
        CardinalityBytes.Write(call, query);
        return AskAsync(call, CardinalityBytes.Answer, cancellation);
    }

    /// <summary>As everywhere; the series come in pages, each of which sees the shard as it is when the page is read.</summary>
    /// <inheritdoc/>
    public async IAsyncEnumerable<RawSeries> ReadAsync(IReadOnlyList<Matcher> matchers, TimeRange range, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var samples = new SampleBuffer();
        var after = Labels.Empty;
        for (var hasMore = true; hasMore;)
        {
            var call = ShardMessage.Begin(ShardCall.Read);
            new ReadPage(matchers, range, after).Write(call);
            var page = await AskAsync(call, static (ref ByteReader from) => from.Rest().ToArray(), cancellation);
            var at = 0;
            while (Next(page, ref at, samples) is { } labels)
            {
                after = labels;
                yield return new RawSeries(labels, samples);
            }

            hasMore = HasMore(page, at);
        }
    }

    /// <inheritdoc/>
    public async ValueTask FlushAsync(CancellationToken cancellation) => await CallAsync(ShardMessage.Begin(ShardCall.Flush), Nothing, cancellation);

    /// <inheritdoc/>
    public async ValueTask DeleteAsync(LabelQuery query, CancellationToken cancellation) => await CallAsync(Asking(ShardCall.Delete, query), Nothing, cancellation);

    /// <inheritdoc/>
    public async ValueTask CleanDeletedAsync(CancellationToken cancellation) => await CallAsync(ShardMessage.Begin(ShardCall.CleanDeleted), Nothing, cancellation);

    /// <inheritdoc/>
    public async ValueTask AdoptAsync(Ulid block, CancellationToken cancellation)
    {
        var call = ShardMessage.Begin(ShardCall.Adopt);
        call.Text(block.ToString());
        await CallAsync(call, Nothing, cancellation);
    }

    /// <summary>As everywhere; the blocks come from object storage, after the owner has published what it has.</summary>
    /// <inheritdoc/>
    public async ValueTask SnapshotAsync(string folder, bool skipHead, CancellationToken cancellation)
    {
        await CallAsync(ShardMessage.Begin(skipHead ? ShardCall.Publish : ShardCall.Flush), Nothing, cancellation);
        try
        {
            foreach (var block in (await ManifestFile.PeekAsync(store, id, cancellation))?.Blocks ?? [])
            {
                await BlockCopy.RunAsync(store, id, block, folder, cancellation);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new ShardUnavailableException(id, e.Message, e);
        }
    }

    private static bool Nothing(ref ByteReader from) => true;

    private static ByteWriter Asking(ShardCall kind, LabelQuery query)
    {
        var call = ShardMessage.Begin(kind);
        ShardMessage.Write(call, query);
        return call;
    }

    private Labels? Next(byte[] page, ref int at, SampleBuffer samples)
    {
        try
        {
            var from = new ByteReader(page.AsSpan(at));
            var labels = from.Bool() ? from.Labels() : null;
            if (labels is not null)
            {
                samples.Clear();
                SampleBytes.Read(ref from, samples);
            }

            at = page.Length - from.Remaining;
            return labels;
        }
        catch (InvalidDataException e)
        {
            throw Garbled(e);
        }
    }

    private bool HasMore(byte[] page, int at)
    {
        try
        {
            var from = new ByteReader(page.AsSpan(at));
            return from.Bool();
        }
        catch (InvalidDataException e)
        {
            throw Garbled(e);
        }
    }

    private ShardUnavailableException Garbled(InvalidDataException e) => new(id, $"its owner's answer is none: {e.Message}", e);

    private async Task AskAgainAsync()
    {
        try
        {
            await StatisticsAsync(CancellationToken.None);
        }
        catch (ShardUnavailableException)
        {
            return; // The last ones stand until somebody asks again.
        }
    }

    /// <summary>A call that changes nothing, repeated while it fails.</summary>
    private async ValueTask<T> AskAsync<T>(ByteWriter question, Taking<T> take, CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        var pause = RetryAfter;
        for (var tried = 0; ; tried++)
        {
            try
            {
                return await CallAsync(question, take, cancellation);
            }
            catch (Exception e) when (IsPassing(e) && tried < RetriesMax && time.GetElapsedTime(began) < RetryWithin)
            {
                await Task.Delay(pause, time, cancellation);
                pause *= 2;
            }
        }
    }

    /// <summary>True for what may be over when the question is asked again; whoever asked hears of it otherwise.</summary>
    private static bool IsPassing(Exception e) => e switch
    {
        ShardUnavailableException unavailable => !unavailable.IsMoved && e.InnerException is not InvalidDataException,
        QueryException failed => failed.Kind == QueryErrorKind.Unavailable,
        _ => false,
    };

    private async ValueTask<T> CallAsync<T>(ByteWriter call, Taking<T> take, CancellationToken cancellation)
    {
        ReadOnlyMemory<byte> answer;
        try
        {
            answer = await channel.CallAsync(call.Written, cancellation);
        }
        catch (ShardMovedException)
        {
            throw ShardUnavailableException.Moved(id);
        }
        catch (IOException e)
        {
            throw new ShardUnavailableException(id, e.Message, e);
        }

        try
        {
            return Taken(answer.Span, take);
        }
        catch (InvalidDataException e)
        {
            throw Garbled(e);
        }
    }

    private T Taken<T>(ReadOnlySpan<byte> answer, Taking<T> take)
    {
        var from = new ByteReader(answer);
        switch (ShardMessage.Answer(ref from))
        {
            case ShardAnswer.Done:
                var taken = take(ref from);
                from.End();
                return taken;
            case ShardAnswer.Unavailable:
                throw new ShardUnavailableException(id, from.Text());
            case ShardAnswer.Moved:
                throw ShardUnavailableException.Moved(id);
            case ShardAnswer.QueryFailed:
                throw new QueryException((QueryErrorKind)from.Byte(), from.Text());
            case ShardAnswer.Malformed:
                throw new ShardUnavailableException(id, $"its owner did not understand the call: {from.Text()}");
            case ShardAnswer.Failed:
                throw new ShardUnavailableException(id, $"its owner failed: {from.Text()}");
            case var other:
                throw new InvalidDataException($"an answer of kind {(byte)other}");
        }
    }
}
