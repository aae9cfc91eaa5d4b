using System.Numerics;
using System.Security.Cryptography;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>The blocks that a merge writes: one for each part of the hash range.</summary>
internal sealed class MergeOutputs : IDisposable
{
    private readonly MergeRequest request;
    private readonly int partBits;
    private readonly BlockWriter[] writers;

    /// <summary>Cuts the hash range into as many halves of halves as the inputs' sizes ask for, and begins a block for each.</summary>
    public MergeOutputs(IReadOnlyList<MergeInput> inputs, MergeRequest request)
    {
        this.request = request;
        var series = inputs.Sum(i => (long)i.Block.Meta.Stats.NumSeries);
        var bytes = inputs.Sum(i => i.Block.Length);
        var parts = Math.Max(Math.Ceiling((double)series / request.MaxSeries), Math.Ceiling((double)bytes / request.MaxBytes));
        partBits = parts <= 1 ? 0 : Math.Min(BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)Math.Min(parts, 1 << 10))), 32 - request.HashRange.Bits);
        writers = new BlockWriter[1 << partBits];
        var description = request.Description with
        {
            MinTimeMs = request.Description.MinTimeMs ?? Math.Max(request.Range.MinMs, inputs.Min(i => i.Block.Meta.MinTime)),
            MaxTimeMs = request.Description.MaxTimeMs ?? Math.Min(request.Range.MaxMs == long.MaxValue ? long.MaxValue : request.Range.MaxMs + 1, inputs.Max(i => i.Block.Meta.MaxTime)),
            Compaction = new BlockCompaction
            {
                Level = inputs.Max(i => i.Block.Meta.Compaction.Level) + 1,
                Sources = [.. inputs.SelectMany(i => i.Block.Meta.Compaction.Sources ?? [i.Block.Meta.Ulid.ToString()]).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)],
                Parents = [.. inputs.Select(i => new BlockParent(i.Block.Meta.Ulid.ToString(), i.Block.Meta.MinTime, i.Block.Meta.MaxTime))],
            },
        };
        for (var part = 0; part < writers.Length; part++)
        {
            var range = new HashRange((request.HashRange.Prefix << partBits) | (uint)part, request.HashRange.Bits + partBits);
            var ulid = Ulid.New(request.Time, new Random(RandomNumberGenerator.GetInt32(int.MaxValue)));
            writers[part] = new BlockWriter(request.Directory, ulid, description with { Metrics = (description.Metrics ?? new MetricsMeta()) with { HashRange = range.ToString() } });
        }
    }

    /// <summary>Writes a series into the part that its hash belongs to, or nowhere when that is outside the range asked for.</summary>
    public void Write(SeriesMerge series, ReadOnlySpan<byte> canonicalLabels)
    {
        if (request.HashRange.Bits + partBits == 0)
        {
            series.Write(canonicalLabels, writers[0]);
            return;
        }

        var hash = SeriesHash.Of(canonicalLabels);
        if (request.HashRange.Contains(hash))
        {
            series.Write(canonicalLabels, writers[partBits == 0 ? 0 : (int)((hash << request.HashRange.Bits) >> (64 - partBits))]);
        }
    }

    /// <summary>Completes the blocks; parts without a series are none.</summary>
    public IReadOnlyList<BlockMeta> Finish()
    {
        var made = new List<BlockMeta>();
        foreach (var writer in writers)
        {
            if (writer.SeriesCount > 0)
            {
                made.Add(writer.Finish());
            }
        }

        return made;
    }

    /// <summary>Removes what was not completed.</summary>
    public void Dispose()
    {
        foreach (var writer in writers)
        {
            writer?.Dispose();
        }
    }
}
