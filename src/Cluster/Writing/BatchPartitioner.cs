using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Splits one write request into a columnar batch for each shard, sends them, and merges the answers.</summary>
/// <remarks>
/// Use: for each series <see cref="BeginSeries(ReadOnlySpan{byte})"/>, then <see cref="Add(long, double)"/> for each of its samples; at the end <see cref="WriteAsync"/>, then Dispose, which
/// returns it to the pool of its <see cref="TenantWriter"/>. A series known to the cache costs one fingerprint and one look-up and its labels are never
/// decoded; another one is validated, brought into canonical form and carried with its labels. Not thread-safe.
/// Writing the same request again after any failure is harmless.
/// </remarks>
public sealed class BatchPartitioner<TFormat> : IDisposable
    where TFormat : struct, ILabelFormat
{
    private const int MaxKeptAside = 1 << 20;

    private readonly TenantWriter writer;
    private readonly SeriesNormalizer normalizer;
    private readonly RejectionTally tally = new();
    private ShardPart[] parts = [];
    private Task<AppendResult>[] answers = [];
    private TenantWriter.Route? route;
    private ReadOnlyMemory<byte> body;
    private byte[] aside = [];
    private int asideLength;
    private ShardPart? current;
    private uint currentRef;
    private RejectReason currentReason;
    private ISeriesGate? gate;
    private ISeriesGate? passed;
    private bool isShut;
    private int leftOut;
    private bool inFlight;

    internal BatchPartitioner(TenantWriter writer)
    {
        this.writer = writer;
        normalizer = new SeriesNormalizer(writer.Limits, writer.Rewrite);
    }

    /// <summary>Starts a series whose labels are these bytes. False when it is refused: its samples are only counted.</summary>
    /// <remarks>Labels that are a slice of the request body are not copied; others are.</remarks>
    /// <exception cref="FormatException">The label bytes are malformed, or what the format throws then.</exception>
    public bool BeginSeries(ReadOnlySpan<byte> rawLabels) => BeginSeries(rawLabels, writer.Fingerprint.Of(rawLabels));

    /// <summary>Fingerprints the labels of a series that will be begun soon, and asks the processor for what the cache knows of it: by then it is there.</summary>
    public UInt128 Announce(ReadOnlySpan<byte> rawLabels)
    {
        var fingerprint = writer.Fingerprint.Of(rawLabels);
        route!.Cache.Prefetch(fingerprint);
        return fingerprint;
    }

    /// <summary>Starts a series that was announced.</summary>
    /// <param name="rawLabels">Its labels, as in <see cref="BeginSeries(ReadOnlySpan{byte})"/>.</param>
    /// <param name="fingerprint">What <see cref="Announce"/> gave for them.</param>
    public bool BeginSeries(ReadOnlySpan<byte> rawLabels, UInt128 fingerprint)
    {
        if ((gate is not null || isShut) && !Passes(rawLabels))
        {
            return false;
        }

        if (!body.Span.Overlaps(rawLabels, out var labelsAt))
        {
            labelsAt = KeepAside(rawLabels);
        }

        currentReason = RejectReason.None;
        if (route!.Cache.TryGet(fingerprint, out var shard, out var generation, out var seriesRef) && (shard == parts.Length || parts[shard].State!.Generation == generation))
        {
            if (shard == parts.Length)
            {
                currentReason = RejectReason.LeftOut;
                return false;
            }

            // Fast path: a known series travels as a reference.
            var part = parts[shard];
            part.StartRun(fingerprint, labelsAt, rawLabels.Length, -1);
            part.Batch.Incarnation = part.State!.Incarnation;
            current = part;
            currentRef = seriesRef;
            return true;
        }

        return BeginNewSeries(rawLabels, labelsAt, fingerprint);
    }

    /// <summary>Adds a sample to the series begun last.</summary>
    public void Add(long timeMs, double value)
    {
        if (currentReason == RejectReason.None)
        {
            current!.Batch.Add(currentRef, timeMs, value);
        }
        else
        {
            Refuse();
        }
    }

    /// <summary>Adds a native histogram to the series begun last; it must not change until the request is written.</summary>
    public void Add(long timeMs, FloatHistogram histogram)
    {
        if (currentReason == RejectReason.None)
        {
            current!.Batch.Add(currentRef, timeMs, histogram);
        }
        else
        {
            Refuse();
        }
    }

    /// <summary>Adds an exemplar to the series begun last. The series need have no sample, here or before: an exemplar of a series that its shard doesn't know is dropped there.</summary>
    public void AddExemplar(long timeMs, double value, Labels labels)
    {
        if (currentReason == RejectReason.None)
        {
            current!.AddExemplar(currentRef, timeMs, value, labels);
        }
    }

    /// <summary>True when the gate leaves this request out: the rest of it need not be read.</summary>
    public bool IsShut => isShut;

    /// <summary>Waits for the gate, when it had to ask whether it lets this request in; to be called when all of it was read. What the gate throws fails the request.</summary>
    public async ValueTask SettleAsync(CancellationToken cancellation)
    {
        if (passed is null || await passed.IsAdmittedAsync(cancellation))
        {
            return;
        }

        isShut = true;
        foreach (var part in parts)
        {
            leftOut += part.Batch.Count;
            part.Clear();
        }
    }

    /// <summary>Counts samples that the caller refused for a reason of its own.</summary>
    public void Reject(RejectReason reason, int count, string example) => tally.Add(reason, count, example);

    /// <summary>Sends every shard its batch, all at once, and waits until all have answered.</summary>
    /// <remarks>When the cancellation strikes after a batch was handed over, that batch may still have been taken.</remarks>
    /// <exception cref="OperationCanceledException">Cancelled before all batches were taken.</exception>
    public async ValueTask<WriteOutcome> WriteAsync(CancellationToken cancellation)
    {
        inFlight = true;
        for (var shard = 0; shard < route!.Shards.Count; shard++)
        {
            if (!parts[shard].Batch.IsEmpty)
            {
                answers[shard] = Send(shard, cancellation).AsTask();
            }
        }

        var accepted = 0;
        var histograms = 0;
        var exemplars = 0;
        ShardUnavailableException? unavailable = null;
        Exception? failure = null;
        List<(ShardId Shard, ShardPart Part)>? refused = null;
        for (var shard = 0; shard < route.Shards.Count; shard++)
        {
            if (parts[shard].Batch.IsEmpty)
            {
                continue;
            }

            try
            {
                var result = await answers[shard].ConfigureAwait(false);
                if (result.Status == AppendStatus.StaleReferences)
                {
                    parts[shard].CarryLabels<TFormat>(body.Span, aside, normalizer);
                    result = await Send(shard, cancellation).ConfigureAwait(false);
                }

                if (result.Status == AppendStatus.NotOwner)
                {
                    (refused ??= []).Add((route.Shards[shard].Id, parts[shard]));
                    continue;
                }

                if (result.Status != AppendStatus.Done)
                {
                    throw new ShardUnavailableException(route.Shards[shard].Id, $"the batch was answered with {result.Status}");
                }

                accepted += result.Accepted;
                histograms += result.AcceptedHistograms;
                exemplars += result.AcceptedExemplars;
                tally.Add(result.Rejections);
                route.Remember(shard, parts[shard], result);
            }
            catch (ShardUnavailableException e) when (e.IsMoved)
            {
                (refused ??= []).Add((route.Shards[shard].Id, parts[shard]));
            }
            catch (ShardUnavailableException e)
            {
                unavailable ??= e;
            }
            catch (Exception e)
            {
                // Thrown below: the other shards must answer first, because they still read their batches.
                failure ??= e;
            }
        }

        if (refused is not null && failure is null)
        {
            var rerouting = new Rerouting<TFormat>(writer, normalizer, tally);
            await rerouting.SendAsync(refused, route, body, aside, cancellation).ConfigureAwait(false);
            accepted += rerouting.Accepted;
            histograms += rerouting.AcceptedHistograms;
            exemplars += rerouting.AcceptedExemplars;
            unavailable ??= rerouting.Unavailable;
        }

        inFlight = false;
        if (failure is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
        }

        return new WriteOutcome(accepted, histograms, exemplars, isShut ? [] : tally.ToList(), unavailable) { LeftOut = leftOut, IsShut = isShut };
    }

    /// <summary>Gives the partitioner back.</summary>
    public void Dispose()
    {
        if (route is null)
        {
            return;
        }

        foreach (var part in parts)
        {
            part.Clear();
        }

        Array.Clear(answers);
        tally.Clear();
        route = null;
        body = default;
        aside = aside.Length <= MaxKeptAside ? aside : [];
        asideLength = 0;
        current = null;
        gate = null;
        passed = null;
        isShut = false;
        leftOut = 0;
        if (!inFlight)
        {
            writer.Return(this);
        }
    }

    internal void Start(TenantWriter.Route newRoute, ReadOnlyMemory<byte> requestBody, ISeriesGate? requestGate)
    {
        gate = requestGate;
        route = newRoute;
        body = requestBody;
        currentReason = RejectReason.MissingMetricName;
        var count = newRoute.Shards.Count;
        if (parts.Length != count)
        {
            parts = new ShardPart[count];
            answers = new Task<AppendResult>[count];
            for (var i = 0; i < count; i++)
            {
                parts[i] = new ShardPart();
            }
        }

        for (var i = 0; i < count; i++)
        {
            parts[i].State = newRoute.Cache.StateOf(i);
        }
    }

    private bool Passes(ReadOnlySpan<byte> rawLabels)
    {
        isShut = isShut || !gate!.Admits<TFormat>(rawLabels);
        passed = isShut ? null : gate;
        gate = null;
        currentReason = isShut ? RejectReason.LeftOut : RejectReason.None;
        return !isShut;
    }

    private void Refuse()
    {
        if (currentReason == RejectReason.LeftOut)
        {
            leftOut++;
        }
        else
        {
            tally.Add(currentReason, 1, null);
        }
    }

    // Labels that a sender scattered over its message were gathered outside the body; a negative position says that they were kept here.
    private int KeepAside(ReadOnlySpan<byte> rawLabels)
    {
        if (asideLength + rawLabels.Length > aside.Length)
        {
            Array.Resize(ref aside, Math.Max(asideLength + rawLabels.Length, aside.Length * 2));
        }

        rawLabels.CopyTo(aside.AsSpan(asideLength));
        asideLength += rawLabels.Length;
        return ~(asideLength - rawLabels.Length);
    }

    private bool BeginNewSeries(ReadOnlySpan<byte> rawLabels, int labelsAt, UInt128 fingerprint)
    {
        currentReason = normalizer.Normalize<TFormat>(rawLabels, out var canonical, out var example);
        if (currentReason == RejectReason.LeftOut)
        {
            route!.Cache.AddLeftOut(fingerprint);
            return false;
        }

        if (currentReason != RejectReason.None)
        {
            tally.NoteExample(currentReason, example);
            return false;
        }

        var hash = SeriesHash.Of(canonical);
        var part = parts[route!.ShardOf(hash)];
        var index = part.Batch.AddSeries(canonical, hash);
        part.StartRun(fingerprint, labelsAt, rawLabels.Length, index);
        current = part;
        currentRef = (uint)index | SampleBatch.NewSeriesFlag;
        return true;
    }

    private ValueTask<AppendResult> Send(int shard, CancellationToken cancellation)
    {
        try
        {
            return route!.Shards[shard].AppendAsync(parts[shard].Batch, cancellation);
        }
        catch (Exception e)
        {
            // A synchronous refusal counts as an answer like any other, so that the other shards are still asked and awaited.
            return ValueTask.FromException<AppendResult>(e);
        }
    }
}
