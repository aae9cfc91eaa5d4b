using Metrics.Model;

namespace Metrics.PromQL;

/// <summary>A fragment as bytes, for leaves in other processes.</summary>
/// <remarks>The plan stays behind: the leaf makes it again from the query's text (<see cref="Fragment"/>). Fields in the order of the record, grid and numbers as zigzag varints; then resolution, first instant, whether steps are counted and operators measured, bounds, and the added label, after 1 when there is one.</remarks>
public static class FragmentBytes
{
    /// <summary>The longest query text that is read, in bytes.</summary>
    public const int MaxQueryBytes = 16 * 1024 * 1024;

    /// <summary>The most instants of a grid that is read: what Prometheus allows, with room for those of other front ends.</summary>
    public const int MaxSteps = 1_000_000;

    /// <summary>Writes a fragment.</summary>
    public static void Write(ByteWriter to, Fragment fragment)
    {
        to.Text(fragment.Query);
        to.SVarint(fragment.Grid.StartMs);
        to.SVarint(fragment.Grid.EndMs);
        to.SVarint(fragment.Grid.StepMs);
        to.Bool(fragment.IsRange);
        to.SVarint(fragment.LookbackMs);
        to.Bool(fragment.DelayedNameRemoval);
        to.SVarint(fragment.DefaultSubqueryStepMs);
        to.Bool(fragment.TypeAndUnitLabels);
        to.Bool(fragment.UseStartTimestamps);
        to.SVarint(fragment.MaxSamples);
        to.UVarint((ulong)fragment.Index);
        to.SVarint(fragment.MaxResolutionMs);
        to.SVarint(fragment.MinTimeMs);
        to.Bool(fragment.PerStepStatistics);
        to.Bool(fragment.Analyze);
        to.SVarint(fragment.Bounds.MaxSeries);
        to.SVarint(fragment.Bounds.MaxBytes);
        to.SVarint(fragment.Bounds.MaxSamples);
        to.SVarint(fragment.Bounds.MaxMemory);
        to.SVarint(fragment.Bounds.MaxChunks);
        to.Text(fragment.Bounds.Whose);
        to.Bool(fragment.Added is not null);
        if (fragment.Added is { } added)
        {
            to.Text(added.Name);
            to.Text(added.Value);
        }
    }

    /// <summary>Reads a fragment.</summary>
    /// <exception cref="InvalidDataException">The bytes are none.</exception>
    public static Fragment Read(ref ByteReader from)
    {
        var query = from.Text();
        if (query.Length > MaxQueryBytes)
        {
            throw new InvalidDataException($"a query of {query.Length} characters");
        }

        return new Fragment(
            query, Grid(ref from), from.Bool(), from.SVarint(), from.Bool(), from.SVarint(), from.Bool(), from.Bool(), from.SVarint(), from.UpTo(int.MaxValue))
        {
            MaxResolutionMs = from.SVarint(),
            MinTimeMs = from.SVarint(),
            PerStepStatistics = from.Bool(),
            Analyze = from.Bool(),
            Bounds = Bounds(ref from),
            Added = from.Bool() ? Added(ref from) : null,
        };
    }

    private static QueryBounds Bounds(ref ByteReader from)
    {
        var (series, bytes, samples, memory, chunks) = (from.SVarint(), from.SVarint(), from.SVarint(), from.SVarint(), from.SVarint());
        return new QueryBounds(series, bytes, samples, from.Text()) { MaxMemory = memory, MaxChunks = chunks };
    }

    private static AddedLabel Added(ref ByteReader from)
    {
        var (name, value) = (from.Text(), from.Text());
        return name.Length > 0 && value.Length > 0 ? new AddedLabel(name, value) : throw new InvalidDataException("a label without name or value");
    }

    private static TimeGrid Grid(ref ByteReader from)
    {
        var (start, end, step) = (from.SVarint(), from.SVarint(), from.SVarint());
        var isSane = start <= end && step >= 0 && (step > 0 || start == end) && (Int128)end - start <= long.MaxValue && (step == 0 || (end - start) / step < MaxSteps);
        return isSane ? new TimeGrid(start, end, step) : throw new InvalidDataException($"no grid: {start} to {end} by {step}");
    }
}
