using System.Buffers.Binary;
using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Simulation;

/// <summary>What a shard's owner does for splits and merges, in small: it seals, it rewrites blocks that it shares, and removes those that nobody has any more.</summary>
internal sealed partial class SimOwner
{
    private readonly Turns turns = new();

    /// <summary>True once it takes no more writes, for a change.</summary>
    public bool IsSealed { get; private set; }

    /// <summary>Puts all into blocks, takes no more writes, and seals the manifest.</summary>
    public async Task SealAsync(SealRequest request)
    {
        if (!IsOpen || log is not { } of)
        {
            throw new IOException($"{Name} is not open");
        }

        await InTurnAsync(async () =>
        {
            if (IsSealed)
            {
                return;
            }

            if (request.MustBeNarrow)
            {
                await NarrowAsync();
            }

            await CutAsync(of);
            if (request.OnlyPrepares)
            {
                return;
            }

            IsSealed = true;
            node.Process.Start(ForgetSealAsync);
            try
            {
                while (head.Count > 0 || pending is not null)
                {
                    await CutAsync(of);
                }

                if (manifest.Current.LostLogs.Count > 0 || (request.MustBeNarrow && manifest.Current.Blocks.Any(IsShared)))
                {
                    throw new IOException($"{Name} can't be sealed");
                }

                await manifest.SwapAsync(now => now with { SealedFor = request.Announced }, CancellationToken.None);
                node.Faults.Count("shard sealed");
                node.World.Say($"{node.Id}: {Name} has sealed {shard} for {request.Announced}");
            }
            catch
            {
                // Sealed or not, the next opening finds out.
                await CloseAsync();
                throw;
            }
        });
    }

    /// <summary>Nobody says what was decided: the next opening finds out.</summary>
    private async Task ForgetSealAsync()
    {
        await Task.Delay(TimeSpan.FromSeconds(4), node.Process.Time);
        await CloseAsync();
    }

    private async Task InTurnAsync(Func<Task> act)
    {
        using var turn = await turns.TakeAsync();
        await act();
    }

    private bool IsShared(ManifestBlock block) => !shard.Range.Covers(block.HashRange);

    /// <summary>Rewrites the blocks that it shares, each by one swap, then removes those retired that no shard has.</summary>
    private async Task NarrowAsync()
    {
        foreach (var block in manifest.Current.Blocks.Where(IsShared).ToList())
        {
            var stored = await ReadBlockAsync(block);
            var own = new List<long>();
            for (var at = 0; at < stored.Length; at += sizeof(long))
            {
                var id = BinaryPrimitives.ReadInt64LittleEndian(stored.AsSpan(at));
                if (node.World.IsIn(shard.Range, id))
                {
                    own.Add(id);
                }
            }

            var written = await WriteBlockAsync([.. own]);
            var retired = new RetiredBlock(block.Meta.Ulid.ToString(), node.Process.Time.GetUtcNow(), block.HashRange.ToString());
            await manifest.SwapAsync(
                now => now.Blocks.All(b => b.Meta.Ulid != block.Meta.Ulid) ? now : now with { Blocks = [.. now.Blocks.Where(b => b.Meta.Ulid != block.Meta.Ulid), written], Retired = [.. now.Retired, retired] },
                CancellationToken.None);
            node.Faults.Count("shared block rewritten");
        }

        await RemoveRetiredAsync();
    }

    private async Task RemoveRetiredAsync()
    {
        var due = manifest.Current.Retired.ToList();
        if (due.Count == 0)
        {
            return;
        }

        var held = await new SharedBlocks(shard, node.Archive).HeldElsewhereAsync([.. due.Select(r => (r.Ulid, HashRange.Parse(r.HashRange!)))], CancellationToken.None);
        due.RemoveAll(r => held?.Contains(r.Ulid) != false);
        foreach (var block in due)
        {
            await node.Bucket.DeleteAsync(BucketKeys.Block(shard.Tenant, block.Ulid) + "ids", CancellationToken.None);
            node.Faults.Count("shared block removed");
        }

        await manifest.SwapAsync(now => due.Count == 0 ? now : now with { Retired = [.. now.Retired.Where(r => due.All(d => d.Ulid != r.Ulid))] }, CancellationToken.None);
    }
}
