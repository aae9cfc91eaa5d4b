using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>How blocks are rewritten: widened, merged, without what was deleted.</summary>
internal sealed partial class ShardArchive
{
    // Blocks that a merge could not read; they wait for an operator, and hold up nothing else.
    private readonly HashSet<Ulid> unreadable = [];

    /// <summary>Does the next merge that is due; false when none is.</summary>
    private async Task<bool> CompactOnceAsync(CancellationToken cancellation)
    {
        var usable = Blocks.Live.Select(b => b.Ulid).Except(unreadable).ToHashSet();
        var candidates = manifest.Current.Blocks.Where(b => usable.Contains(b.Meta.Ulid) && !HasDeletedAggregates(b)).ToDictionary(b => b.Meta.Ulid);
        var job = CompactionPlanner.Next([.. candidates.Values.Select(b => new PlannedBlock(b.Meta, b.Bytes))], options.Compaction, time.GetUtcNow());
        if (job.Count == 0)
        {
            return await DownsampleOnceAsync(candidates, cancellation);
        }

        await RewriteAsync([.. job.Select(b => candidates[b.Meta.Ulid])], cancellation);
        return true;
    }

    /// <summary>Merges blocks and puts the result into their place.</summary>
    private async Task RewriteAsync(IReadOnlyList<ManifestBlock> blocks, CancellationToken cancellation)
    {
        if (await MergeAsync(blocks, cancellation) is { } written)
        {
            await ReplaceAsync(blocks, written, cancellation);
        }
    }

    /// <summary>Makes a downsampled block that is due; false when none is.</summary>
    private async Task<bool> DownsampleOnceAsync(Dictionary<Ulid, ManifestBlock> candidates, CancellationToken cancellation)
    {
        if (DownsamplePlanner.Next([.. candidates.Values.Select(b => new PlannedBlock(b.Meta, b.Bytes))], options.Downsampling) is not { } job)
        {
            return false;
        }

        if (await MadeOfAsync([candidates[job.Raw.Meta.Ulid]], (inputs, request) => Downsample.Run(inputs[0], job.ResolutionMs, request, cancellation) is { } made ? [made] : [], cancellation) is { } written)
        {
            await ReplaceAsync([.. job.Outdated.Select(b => candidates[b.Meta.Ulid])], written, cancellation);
            Interlocked.Increment(ref pastChanges);
            return written.Count > 0;
        }

        return true;
    }

    /// <summary>Uploads blocks that were written and puts them into the place of others, in one swap.</summary>
    private async Task ReplaceAsync(IReadOnlyList<ManifestBlock> blocks, List<ManifestBlock> written, CancellationToken cancellation)
    {
        step("a merge is written");
        foreach (var block in written)
        {
            await UploadAsync(block, Path.Combine(compactingFolder, block.Meta.Ulid.ToString()), cancellation);
        }

        var leaving = blocks.Select(b => b.Meta.Ulid).ToHashSet();
        await manifest.SwapAsync(now => Retired(now, leaving) is var without ? without with { Blocks = Ordered(without.Blocks.Concat(written)) } : now, cancellation);
        step("a merge is live");
        Reconcile();
        foreach (var block in written)
        {
            RemoveLocal(Path.Combine(compactingFolder, block.Meta.Ulid.ToString()));
            await ForgetUploadAsync(block.Meta.Ulid, cancellation);
        }
    }

    private Task<List<ManifestBlock>?> MergeAsync(IReadOnlyList<ManifestBlock> blocks, CancellationToken cancellation) =>
        MadeOfAsync(blocks, (inputs, request) => BlockMerge.Run(inputs, request, cancellation), cancellation);

    /// <summary>Rewrites blocks that are shared with other shards, the newest first, so that this one has its own part of each; no longer than until the next work is due, which publishes.</summary>
    private async Task NarrowForAWhileAsync(CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        while (await NarrowOnceAsync(cancellation) && time.GetElapsedTime(began) < options.WorkEvery)
        {
        }
    }

    private async Task<bool> NarrowOnceAsync(CancellationToken cancellation)
    {
        var usable = Blocks.Live.Select(b => b.Ulid).Except(unreadable).ToHashSet();
        if (manifest.Current.Blocks.Where(b => IsShared(b) && usable.Contains(b.Meta.Ulid)).MaxBy(b => b.Meta.MaxTime) is not { } block)
        {
            return false;
        }

        // What was deleted of aggregates can't be taken out of them, and goes on being hidden.
        var hidden = HasDeletedAggregates(block) ? block.Deletions : [];
        if (await MergeAsync([hidden.Count > 0 ? block with { Deletions = [] } : block], cancellation) is { } written)
        {
            await ReplaceAsync([block], hidden.Count > 0 ? written.ConvertAll(w => w with { Deletions = hidden }) : written, cancellation);
        }

        return true;
    }

    /// <summary>True for a block that may hold series of other shards: one that a split left to both halves.</summary>
    private bool IsShared(ManifestBlock block) => !shard.Range.Covers(block.HashRange);

    /// <summary>Makes blocks of others in the local folder; null when one of them can't be read.</summary>
    private async Task<List<ManifestBlock>?> MadeOfAsync(IReadOnlyList<ManifestBlock> blocks, Func<IReadOnlyList<MergeInput>, MergeRequest, IReadOnlyList<BlockMeta>> make, CancellationToken cancellation)
    {
        Directory.CreateDirectory(compactingFolder);
        using var held = Blocks.Hold(TimeRange.All);
        var live = held.Blocks.Where(b => blocks.Any(w => w.Meta.Ulid == b.Ulid)).ToList();
        if (live.Count < blocks.Count)
        {
            return null; // One was found damaged since.
        }

        try
        {
            var inputs = live.OrderBy(b => b.Ulid).Select(b => new MergeInput(b.Reader(), [.. blocks.First(w => w.Meta.Ulid == b.Ulid).Deletions.Select(d => new MergeDeletion([.. d.Matchers.Select(m => m.ToMatcher())], d.Range))])).ToList();
            var request = new MergeRequest
            {
                Directory = compactingFolder,
                Time = time,
                HashRange = shard.Range,
                Description = Description(TimeRange.All, blocks[0].ResolutionMs) with { FloatEncoding = options.FloatEncoding },
                MaxSeries = options.MaxBlockSeries,
                MaxBytes = options.MaxBlockBytes,
            };
            var made = await Task.Run(() => make(inputs, request), cancellation);
            return [.. made.Select(m => ManifestBlock.Of(Path.Combine(compactingFolder, m.Ulid.ToString()), m))];
        }
        catch (InvalidDataException e)
        {
            var found = live.Where(b => FirstDamage(b) is not null).ToList();
            foreach (var block in found.Count > 0 ? found : live)
            {
                unreadable.Add(block.Ulid);
                report($"block {block.Ulid} can't be compacted and is left as it is: {FirstDamage(block) ?? e.Message}");
            }

            return null;
        }
    }

    /// <summary>True for aggregates of samples that were deleted since: they can't be told apart any more, only made anew.</summary>
    private static bool HasDeletedAggregates(ManifestBlock block) => block.ResolutionMs > 0 && block.Deletions.Count > 0;

    private static string? FirstDamage(LiveBlock block)
    {
        try
        {
            var reader = block.Reader();
            using var reading = reader.Hold();
            using var all = new PostingsBuffer();
            reader.Index.AddAll(all);
            var entry = new SeriesEntry();
            using var samples = new SampleBuffer();
            foreach (var series in all.Items)
            {
                reader.Index.ReadSeries(series, entry);
                foreach (var chunk in entry.Chunks)
                {
                    samples.Clear();
                    _ = reader.ReadChunk(chunk, out var encoding);
                    if (encoding is ChunkEncoding.Xor or ChunkEncoding.Dense or ChunkEncoding.Histogram or ChunkEncoding.FloatHistogram)
                    {
                        reader.Decode(chunk, TimeRange.All, samples);
                    }
                }
            }

            return null;
        }
        catch (InvalidDataException e)
        {
            return e.Message;
        }
    }
}
