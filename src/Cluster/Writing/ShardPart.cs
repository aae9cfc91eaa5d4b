using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>What one request sends to one shard: the batch, and for each run of samples of one series where its labels lie in the request body.</summary>
internal sealed class ShardPart
{
    // A batch that grew beyond this is not kept for the next request: one huge request must not pin its memory for good.
    private const int MaxKeptSamples = 1 << 18;
    private const int MaxKeptLabelBytes = 1 << 23;

    private SampleBatch batch = new();
    private SampleBatch? rebuilt;
    private Run[] runs = new Run[64];

    // Per exemplar of the batch: its run.
    private readonly List<int> exemplarRuns = [];

    /// <summary>The samples.</summary>
    public SampleBatch Batch => batch;

    /// <summary>The runs, ascending by first sample.</summary>
    public ReadOnlySpan<Run> Runs => runs.AsSpan(0, RunCount);

    /// <summary>The number of runs.</summary>
    public int RunCount { get; private set; }

    /// <summary>What the series cache said of this shard when the request began.</summary>
    public SeriesCache.ShardState? State { get; set; }

    /// <summary>Starts a run; the samples added to the batch from now on belong to it.</summary>
    public void StartRun(UInt128 fingerprint, int labelsAt, int labelsLength, int newSeries)
    {
        if (RunCount == runs.Length)
        {
            Array.Resize(ref runs, RunCount * 2);
        }

        runs[RunCount++] = new Run(fingerprint, labelsAt, labelsLength, batch.Count, newSeries);
    }

    /// <summary>Adds an exemplar to the run at hand.</summary>
    public void AddExemplar(uint seriesRef, long timeMs, double value, Labels labels)
    {
        batch.AddExemplar(seriesRef, timeMs, value, labels);
        exemplarRuns.Add(RunCount - 1);
    }

    /// <summary>Builds the batch again with labels instead of references, from the request body or what was kept aside.</summary>
    public void CarryLabels<TFormat>(ReadOnlySpan<byte> body, ReadOnlySpan<byte> aside, SeriesNormalizer normalizer)
        where TFormat : struct, ILabelFormat
    {
        var old = batch;
        var fresh = rebuilt ?? new SampleBatch();
        fresh.Clear();
        for (var i = 0; i < RunCount; i++)
        {
            ref var run = ref runs[i];
            var end = i + 1 < RunCount ? runs[i + 1].FirstSample : old.Count;
            var hash = Canonical<TFormat>(run, body, aside, normalizer, out var canonical);
            var index = fresh.AddSeries(canonical, hash);
            for (var sample = run.FirstSample; sample < end; sample++)
            {
                fresh.AddFrom(old, sample, (uint)index | SampleBatch.NewSeriesFlag);
            }

            run = run with { NewSeries = index };
        }

        for (var i = 0; i < exemplarRuns.Count; i++)
        {
            var (_, timeMs, value, labels) = old.Exemplars[i];
            fresh.AddExemplar((uint)runs[exemplarRuns[i]].NewSeries | SampleBatch.NewSeriesFlag, timeMs, value, labels);
        }

        batch = fresh;
        rebuilt = old;
    }

    /// <summary>Adds all of it, with labels, to the parts of other shards.</summary>
    /// <param name="body">The request.</param>
    /// <param name="aside">Labels that were kept outside of it.</param>
    /// <param name="normalizer">Brings labels into canonical form.</param>
    /// <param name="partOf">The part that a hash belongs to.</param>
    public void CarryInto<TFormat>(ReadOnlySpan<byte> body, ReadOnlySpan<byte> aside, SeriesNormalizer normalizer, Func<ulong, ShardPart> partOf)
        where TFormat : struct, ILabelFormat
    {
        for (int i = 0, exemplar = 0; i < RunCount; i++)
        {
            ref readonly var run = ref runs[i];
            var end = i + 1 < RunCount ? runs[i + 1].FirstSample : batch.Count;
            var hash = Canonical<TFormat>(run, body, aside, normalizer, out var canonical);
            var to = partOf(hash);
            var index = to.batch.AddSeries(canonical, hash);
            to.StartRun(run.Fingerprint, run.LabelsAt, run.LabelsLength, index);
            for (var sample = run.FirstSample; sample < end; sample++)
            {
                to.batch.AddFrom(batch, sample, (uint)index | SampleBatch.NewSeriesFlag);
            }

            for (; exemplar < exemplarRuns.Count && exemplarRuns[exemplar] == i; exemplar++)
            {
                var (_, timeMs, value, labels) = batch.Exemplars[exemplar];
                to.AddExemplar((uint)index | SampleBatch.NewSeriesFlag, timeMs, value, labels);
            }
        }
    }

    private static ulong Canonical<TFormat>(in Run run, ReadOnlySpan<byte> body, ReadOnlySpan<byte> aside, SeriesNormalizer normalizer, out ReadOnlySpan<byte> canonical)
        where TFormat : struct, ILabelFormat
    {
        var labels = run.LabelsAt >= 0 ? body.Slice(run.LabelsAt, run.LabelsLength) : aside.Slice(~run.LabelsAt, run.LabelsLength);
        var reason = normalizer.Normalize<TFormat>(labels, out canonical, out var example);
        return reason == RejectReason.None ? SeriesHash.Of(canonical) : throw new InvalidOperationException($"labels that were valid when first seen are now refused: {example}");
    }

    /// <summary>Forgets the request.</summary>
    public void Clear()
    {
        if (batch.Count > MaxKeptSamples || batch.LabelCapacityBytes > MaxKeptLabelBytes)
        {
            batch = new SampleBatch();
            rebuilt = null;
            runs = new Run[64];
        }

        batch.Clear();
        exemplarRuns.Clear();
        RunCount = 0;
        State = null;
    }

    /// <summary>Consecutive samples of one series.</summary>
    /// <param name="Fingerprint">The series' fingerprint.</param>
    /// <param name="LabelsAt">Where its labels start in the request body, or the complement of where they start in the bytes kept aside.</param>
    /// <param name="LabelsLength">How long they are.</param>
    /// <param name="FirstSample">The first sample in the batch.</param>
    /// <param name="NewSeries">The index among the label sets that the batch carries, or -1 when a reference was known.</param>
    internal readonly record struct Run(UInt128 Fingerprint, int LabelsAt, int LabelsLength, int FirstSample, int NewSeries);
}
