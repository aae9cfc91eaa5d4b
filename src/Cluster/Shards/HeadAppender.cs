using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>Brings a batch into a head: resolves its series, judges each sample, and keeps in columns what is new and so has to be logged.</summary>
/// <remarks>One for each head, under the shard's writer lock. The columns hold until the next batch.</remarks>
internal sealed class HeadAppender(Head head)
{
    private readonly RejectionTally tally = new();
    private uint[] refs = [];
    private long[] times = [];
    private double[] values = [];

    /// <summary>Samples of the last batch that were not there before.</summary>
    public int NewSamples { get; private set; }

    /// <summary>Series of those samples.</summary>
    public ReadOnlySpan<uint> Refs => refs.AsSpan(0, NewSamples);

    /// <summary>Times of those samples.</summary>
    public ReadOnlySpan<long> Times => times.AsSpan(0, NewSamples);

    /// <summary>Values of those samples.</summary>
    public ReadOnlySpan<double> Values => values.AsSpan(0, NewSamples);

    /// <summary>Indexes, in the batch, of carried series that the head did not know. Their labels are logged even when none of their samples was taken:
    /// the reference is given out, and a later batch may use it.</summary>
    public List<int> CreatedSeries { get; } = [];

    /// <summary>Appends a batch whose references are of this head's incarnation. An unknown reference refuses it whole, before anything is taken.</summary>
    public AppendResult Append(SampleBatch batch, ulong incarnation, long maxTimeMs)
    {
        NewSamples = 0;
        CreatedSeries.Clear();
        tally.Clear();
        foreach (var name in batch.Series)
        {
            if ((name & SampleBatch.NewSeriesFlag) == 0 && !head.IsKnown(name))
            {
                return new AppendResult { Status = AppendStatus.StaleReferences, Incarnation = incarnation };
            }
        }

        Reserve(batch.Count);
        var given = batch.NewSeriesCount == 0 ? [] : new uint[batch.NewSeriesCount];
        Array.Fill(given, AppendResult.NoRef);
        var accepted = 0;
        for (var i = 0; i < batch.Count; i++)
        {
            var name = batch.Series[i];
            var timeMs = batch.Times[i];
            if (timeMs > maxTimeMs)
            {
                Reject(RejectReason.TooFarInFuture, batch, i);
                continue;
            }

            var reference = (name & SampleBatch.NewSeriesFlag) == 0 ? name : Resolve(batch, (int)(name & ~SampleBatch.NewSeriesFlag), given);
            var outcome = head.Append(reference, timeMs, batch.Values[i]);
            if (outcome == AppendOutcome.Added)
            {
                refs[NewSamples] = reference;
                times[NewSamples] = timeMs;
                values[NewSamples++] = batch.Values[i];
            }
            else if (outcome != AppendOutcome.AlreadyThere)
            {
                Reject(ReasonOf(outcome), batch, i);
                continue;
            }

            accepted++;
        }

        return new AppendResult
        {
            Status = AppendStatus.Done,
            Incarnation = incarnation,
            NewSeriesRefs = given,
            Accepted = accepted,
            Rejections = tally.ToList(),
        };
    }

    private uint Resolve(SampleBatch batch, int carried, uint[] given)
    {
        if (given[carried] == AppendResult.NoRef)
        {
            given[carried] = head.GetOrCreate(batch.LabelsOf(carried), batch.HashOf(carried), out var created);
            if (created)
            {
                CreatedSeries.Add(carried);
            }
        }

        return given[carried];
    }

    private void Reject(RejectReason reason, SampleBatch batch, int sample) =>
        tally.Add(reason, 1, tally.WantsExample(reason) ? Describe(reason, batch, sample) : null);

    private string Describe(RejectReason reason, SampleBatch batch, int sample)
    {
        var what = reason switch
        {
            RejectReason.OutOfOrder => "out of order sample",
            RejectReason.TooOld => "too old sample",
            RejectReason.DuplicateTimestamp => "duplicate sample for timestamp",
            _ => "timestamp too far in the future",
        };
        var name = batch.Series[sample];
        var labels = (name & SampleBatch.NewSeriesFlag) == 0 ? head.LabelsOf(name) : Labels.FromEncoded(batch.LabelsOf((int)(name & ~SampleBatch.NewSeriesFlag)));
        return $"{what}; timestamp: {batch.Times[sample]}, series: {labels}";
    }

    private void Reserve(int samples)
    {
        if (refs.Length < samples)
        {
            refs = new uint[samples];
            times = new long[samples];
            values = new double[samples];
        }
    }

    private static RejectReason ReasonOf(AppendOutcome outcome) => outcome switch
    {
        AppendOutcome.OutOfOrder => RejectReason.OutOfOrder,
        AppendOutcome.TooOld => RejectReason.TooOld,
        AppendOutcome.DuplicateTimestamp => RejectReason.DuplicateTimestamp,
        _ => throw new InvalidOperationException($"{outcome} is no rejection"),
    };
}
