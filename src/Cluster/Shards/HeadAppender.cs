using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>Brings a batch into a head: resolves its series, judges each sample, and collects what is new and so has to be logged.</summary>
/// <remarks>One for each head, under the shard's writer lock.</remarks>
internal sealed class HeadAppender(Head head, ExemplarRing exemplars, ActiveSeriesPart active)
{
    /// <summary>Samples between asking for memory and using it: what the processor can have under way at a time.</summary>
    private const int Ahead = 8;

    private readonly RejectionTally tally = new();

    /// <summary>
    /// What the last batch brought that was not there before; holds until the next one. A series that the head did not know is in it even when none of its samples was taken: the
    /// reference is given out, and a later batch may use it.
    /// </summary>
    public WriteRecord Record { get; } = new();

    /// <summary>Appends a batch whose references are of this head's incarnation. An unknown reference refuses it whole, before anything is taken.</summary>
    public AppendResult Append(SampleBatch batch, ulong incarnation, long maxTimeMs)
    {
        Record.Clear();
        tally.Clear();
        var names = batch.Series;
        for (var i = 0; i < names.Length; i++)
        {
            if (i + Ahead < names.Length)
            {
                head.Prefetch(names[i + Ahead]);
            }

            var name = names[i];
            if ((name & SampleBatch.NewSeriesFlag) == 0 && !head.IsKnown(name))
            {
                return new AppendResult { Status = AppendStatus.StaleReferences, Incarnation = incarnation };
            }
        }

        foreach (var exemplar in batch.Exemplars)
        {
            if ((exemplar.Series & SampleBatch.NewSeriesFlag) == 0 && !head.IsKnown(exemplar.Series))
            {
                return new AppendResult { Status = AppendStatus.StaleReferences, Incarnation = incarnation };
            }
        }

        var given = batch.NewSeriesCount == 0 ? [] : new uint[batch.NewSeriesCount];
        Array.Fill(given, AppendResult.NoRef);
        var accepted = 0;
        var acceptedHistograms = 0;
        var histograms = batch.Histograms;
        for (var i = 0; i < batch.Count; i++)
        {
            if (i + Ahead < names.Length && (names[i + Ahead] & SampleBatch.NewSeriesFlag) == 0)
            {
                head.PrefetchOpen(names[i + Ahead]);
            }

            var name = names[i];
            var timeMs = batch.Times[i];
            if (timeMs > maxTimeMs)
            {
                Reject(RejectReason.TooFarInFuture, batch, i);
                continue;
            }

            var reference = name;
            if ((name & SampleBatch.NewSeriesFlag) != 0 && Resolve(batch, (int)(name & ~SampleBatch.NewSeriesFlag), given, out reference) is var refused and not RejectReason.None)
            {
                Reject(refused, batch, i);
                continue;
            }

            var outcome = histograms.IsEmpty || histograms[i] is not { } histogram ? AppendFloat(reference, timeMs, batch.Values[i]) : AppendHistogram(reference, timeMs, histogram);
            if (outcome is not (AppendOutcome.Added or AppendOutcome.AlreadyThere))
            {
                Reject(ReasonOf(outcome), batch, i);
                continue;
            }

            accepted++;
            acceptedHistograms += !histograms.IsEmpty && histograms[i] is not null ? 1 : 0;
        }

        var keptExemplars = AppendExemplars(batch, given);
        return new AppendResult
        {
            Status = AppendStatus.Done,
            Incarnation = incarnation,
            NewSeriesRefs = given,
            SeriesMade = Record.SeriesCount,
            Accepted = accepted,
            AcceptedHistograms = acceptedHistograms,
            AcceptedExemplars = keptExemplars,
            Rejections = tally.ToList(),
        };
    }

    // Those of a series that the head doesn't hold, because it never came or none of its samples was taken, are dropped: an exemplar makes no series.
    private int AppendExemplars(SampleBatch batch, uint[] given)
    {
        var kept = 0;
        foreach (var exemplar in batch.Exemplars)
        {
            var reference = exemplar.Series;
            if ((reference & SampleBatch.NewSeriesFlag) != 0 && !TryFind(batch, (int)(reference & ~SampleBatch.NewSeriesFlag), given, out reference))
            {
                continue;
            }

            var taken = new Exemplar(reference, exemplar.TimeMs, exemplar.Value, exemplar.Labels);
            if (exemplars.Add(taken, out var isNew))
            {
                kept++;
                if (isNew)
                {
                    Record.AddExemplar(taken);
                }
            }
        }

        return kept;
    }

    private bool TryFind(SampleBatch batch, int carried, uint[] given, out uint reference)
    {
        reference = given[carried];
        if (reference == AppendResult.NoRef && head.TryFind(batch.LabelsOf(carried), batch.HashOf(carried), out var found))
        {
            given[carried] = reference = found;
        }

        return reference != AppendResult.NoRef;
    }

    private AppendOutcome AppendFloat(uint reference, long timeMs, double value)
    {
        var outcome = head.Append(reference, timeMs, value);
        if (outcome == AppendOutcome.Added)
        {
            Record.AddSample(reference, timeMs, value);
        }

        return outcome;
    }

    private AppendOutcome AppendHistogram(uint reference, long timeMs, FloatHistogram histogram)
    {
        var outcome = head.Append(reference, timeMs, histogram);
        if (outcome == AppendOutcome.Added)
        {
            Record.AddSample(reference, timeMs, histogram);
        }

        return outcome;
    }

    private RejectReason Resolve(SampleBatch batch, int carried, uint[] given, out uint reference)
    {
        reference = given[carried];
        if (reference != AppendResult.NoRef)
        {
            return RejectReason.None;
        }

        var labels = batch.LabelsOf(carried);
        var hash = batch.HashOf(carried);
        if (!head.TryFind(labels, hash, out reference))
        {
            if (active.Take(head, labels) is var refused and not RejectReason.None)
            {
                return refused;
            }

            reference = head.Create(labels, hash);
            Record.AddSeries(reference, labels);
        }

        given[carried] = reference;
        return RejectReason.None;
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
            RejectReason.TooManySeries or RejectReason.TooManySeriesOfMetric => "new series",
            _ => "timestamp too far in the future",
        };
        var name = batch.Series[sample];
        var labels = (name & SampleBatch.NewSeriesFlag) == 0 ? head.LabelsOf(name) : Labels.FromEncoded(batch.LabelsOf((int)(name & ~SampleBatch.NewSeriesFlag)));
        return $"{what}; timestamp: {batch.Times[sample]}, series: {labels}";
    }

    private static RejectReason ReasonOf(AppendOutcome outcome) => outcome switch
    {
        AppendOutcome.OutOfOrder => RejectReason.OutOfOrder,
        AppendOutcome.TooOld => RejectReason.TooOld,
        AppendOutcome.DuplicateTimestamp => RejectReason.DuplicateTimestamp,
        _ => throw new InvalidOperationException($"{outcome} is no rejection"),
    };
}
