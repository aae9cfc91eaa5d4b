using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>The series of a block without what was deleted of them. Owns the set it reads from.</summary>
internal sealed class UndeletedSeriesSet : ISeriesSet
{
    private readonly ISeriesSet all;
    private readonly List<(int Index, List<TimeRange>? Deleted)> kept = [];

    /// <summary>Matches the deletions against the series once; a series of which nothing is left in the range is left out.</summary>
    public UndeletedSeriesSet(ISeriesSet all, IReadOnlyList<SeriesDeletion> deletions, TimeRange range)
    {
        this.all = all;
        var compiled = deletions.Where(d => d.Range.Overlaps(range)).Select(d => (d.Range, Matchers: d.Matchers.Select(m => m.ToMatcher()).ToList())).ToList();
        for (var i = 0; i < all.Count; i++)
        {
            var labels = all.LabelsOf(i);
            List<TimeRange>? deleted = null;
            foreach (var (when, matchers) in compiled)
            {
                if (Matcher.AllMatch(matchers, labels))
                {
                    (deleted ??= []).Add(when);
                }
            }

            if (deleted is null || !deleted.Exists(d => d.Covers(range)))
            {
                kept.Add((i, deleted));
            }
        }
    }

    /// <inheritdoc/>
    public int Count => kept.Count;

    /// <inheritdoc/>
    public Labels LabelsOf(int index) => all.LabelsOf(kept[index].Index);

    /// <inheritdoc/>
    public ulong HashOf(int index) => all.HashOf(kept[index].Index);

    /// <inheritdoc/>
    public ReadOnlySpan<byte> LabelBytesOf(int index, ref byte[] scratch) => all.LabelBytesOf(kept[index].Index, ref scratch);

    /// <inheritdoc/>
    public void Read(int index, SampleBuffer into)
    {
        var (from, deleted) = kept[index];
        if (deleted is null)
        {
            all.Read(from, into);
            return;
        }

        using var samples = new SampleBuffer();
        all.Read(from, samples);
        into.NoteEncoded(samples.EncodedBytes, samples.EncodedChunks);
        for (var i = 0; i < samples.Count; i++)
        {
            var time = samples.Times[i];
            if (!deleted.Exists(d => d.Contains(time)))
            {
                into.AddFrom(samples, i);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => all.Dispose();
}
