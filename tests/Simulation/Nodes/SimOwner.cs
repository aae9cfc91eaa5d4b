using System.Buffers.Binary;
using Metrics.Cluster;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Simulation;

/// <summary>What a shard's store does with its log, in small: a head of ids, blocks of ids, and the order of steps that the real one keeps.</summary>
internal sealed partial class SimOwner : ILogVisitor
{
    private readonly SimNode node;
    private readonly ShardId shard;
    private readonly ManifestFile manifest;
    private readonly Dictionary<long, long> head = [];
    private readonly HashSet<long> inBlocks = [];
    private readonly List<long> twice = [];
    private ReplicatedLog? log;
    private PendingBlock? pending;
    private long covered;
    private bool isClosed;

    /// <summary>Makes the owner; it owns nothing yet.</summary>
    public SimOwner(SimNode node, ShardId shard)
    {
        this.node = node;
        this.shard = shard;
        Name = $"o{node.World.NextNumber()}";
        manifest = ManifestFile.Open(node.Bucket, shard, Name);
    }

    /// <summary>Names the opening.</summary>
    public string Name { get; }

    /// <summary>The shard.</summary>
    public ShardId Shard => shard;

    /// <summary>True when it takes writes.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>True when it takes writes or is about to.</summary>
    public bool IsBusy => !isClosed && (log is null || IsOpen);

    /// <summary>The log, when it is open.</summary>
    public ReplicatedLog? Log => log;

    /// <summary>The manifest as it knows it.</summary>
    public ShardManifest Manifest => manifest.Current;

    /// <summary>Takes the shard over.</summary>
    public async Task OpenAsync()
    {
        try
        {
            await manifest.SyncAsync(CancellationToken.None);
            await new Succession(node.Bucket, node.Archive.Maps, node.Process.Time, node.World.Mutant).ResolveAsync(shard, manifest, CancellationToken.None);
            log = await ReplicatedLog.OpenAsync(shard, manifest, node.Services, CancellationToken.None);
            _ = WatchAsync(log);
            covered = manifest.Current.Cuts.Where(c => c.Log == log.Lineage).Select(c => c.FirstRecord).DefaultIfEmpty(0).Max();
            foreach (var block in manifest.Current.Blocks)
            {
                var stored = await ReadBlockAsync(block);
                for (var at = 0; at < stored.Length; at += sizeof(long))
                {
                    if (node.World.IsIn(shard.Range, BinaryPrimitives.ReadInt64LittleEndian(stored.AsSpan(at))))
                    {
                        NoteTwice(!inBlocks.Add(BinaryPrimitives.ReadInt64LittleEndian(stored.AsSpan(at))), stored, at);
                    }
                }
            }

            await log.ReplayAsync(this, CancellationToken.None);
            node.World.Checker.OnOpened(this, inBlocks.Concat(head.Keys).ToHashSet(), twice);
            IsOpen = !isClosed && log.Failed.Status == TaskStatus.WaitingForActivation;
            node.Faults.Count("log opened");
            node.World.Say($"{node.Id}: {Name} opened {shard} in epoch {log.Epoch}: records {log.Start} to {log.NextRecord}, {string.Join("; ", manifest.Current.Log!.Ranges.Select(r => $"{r.First}/{r.Acks} {string.Join(' ', r.Members)}"))}");
            _ = CutAtIntervalsAsync();
        }
        catch (ReplicationInvariantException e)
        {
            node.Faults.Violate(e.Message);
            await CloseAsync();
        }
        catch (Exception e) when (e is IOException or EpochLostException or InvalidDataException or ObjectDisposedException or ShardUnavailableException)
        {
            node.Faults.Count("opening failed");
            node.World.Say($"{node.Id}: {Name} did not open {shard}: {e.Message}");
            await CloseAsync();
            throw new IOException(e.Message, e);
        }
    }

    /// <summary>Stops.</summary>
    public async Task CloseAsync()
    {
        isClosed = true;
        IsOpen = false;
        if (log is not null)
        {
            await log.DisposeAsync();
        }
    }

    /// <summary>Writes an id, unless it is there already; completes when it is acknowledged.</summary>
    public async Task<bool> WriteAsync(long id)
    {
        if (!node.World.IsIn(shard.Range, id) || IsSealed || !IsOpen || log is null || !log.HasRoom)
        {
            throw new IOException($"{Name} takes no writes now");
        }

        if (!inBlocks.Contains(id) && !head.ContainsKey(id))
        {
            head[id] = log.Append(Payload(id));
        }

        await log.WaitDurableAsync(log.NextRecord - 1);
        return true;
    }

    /// <inheritdoc/>
    public void Visit(long number, ReadOnlySpan<byte> payload, long position)
    {
        var id = BinaryPrimitives.ReadInt64LittleEndian(payload);
        if (!payload.SequenceEqual(Payload(id)))
        {
            node.Faults.Violate($"{shard}: record {number} is not what was written");
        }

        if (number >= covered && (!head.TryAdd(id, number) || inBlocks.Contains(id)))
        {
            twice.Add(id);
        }
    }

    /// <summary>What is written for an id: as long as its number says.</summary>
    public static byte[] Payload(long id)
    {
        var payload = new byte[8 + (id * 7 % 90)];
        payload.AsSpan().Fill((byte)id);
        BinaryPrimitives.WriteInt64LittleEndian(payload, id);
        return payload;
    }

    private void NoteTwice(bool isTwice, byte[] block, int at)
    {
        if (isTwice)
        {
            twice.Add(BinaryPrimitives.ReadInt64LittleEndian(block.AsSpan(at)));
        }
    }

    private async Task WatchAsync(ReplicatedLog opened)
    {
        try
        {
            await opened.Failed;
        }
        catch (ReplicationInvariantException e)
        {
            node.Faults.Violate(e.Message);
        }
        catch (EpochLostException)
        {
            node.Faults.Count("owner fenced");
            node.World.Say($"{node.Id}: {Name} is fenced");
        }
        catch (IOException e)
        {
            node.Faults.Count("owner failed", !isClosed);
            node.World.Say($"{node.Id}: {Name} failed: {e.Message}");
        }

        await CloseAsync();
    }

    private async Task CutAtIntervalsAsync()
    {
        while (IsOpen)
        {
            await Task.Delay(node.Scheduler.Between(TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(8)), node.Process.Time);
            try
            {
                if (IsOpen && manifest.Current.LostLogs.Count > 0)
                {
                    node.Faults.Count("lost log salvaged", await new LostLogSalvage(shard, manifest, node.Services, (_, _) => ValueTask.FromResult<ISalvagedRecords>(new Salvaged(this))).RunAsync(CancellationToken.None) > 0);
                }

                if (IsOpen && !IsSealed && (head.Count > 0 || pending is not null))
                {
                    await InTurnAsync(() => IsSealed ? Task.CompletedTask : CutAsync(log!));
                }

                if (IsOpen && !IsSealed && node.World.Reshards)
                {
                    await InTurnAsync(() => IsSealed ? Task.CompletedTask : NarrowAsync());
                }
            }
            catch (EpochLostException)
            {
                await CloseAsync();
            }
            catch (IOException)
            {
                node.Faults.Count("cut failed");
            }
        }
    }

    /// <summary>Makes a block of the head, publishes it, and lets go of the records it covers.</summary>
    private async Task CutAsync(ReplicatedLog of)
    {
        var mutant = node.World.Mutant;
        if (pending is not null)
        {
            await PublishAsync(of, pending); // The outcome of the last try is open: the same block again.
            return;
        }

        if (head.Count == 0)
        {
            return;
        }

        var ids = head.Keys.ToArray();
        var cut = new LogCut(0, of.NextRecord, of.Lineage);
        if (mutant == Mutant.TruncatesTooMuch)
        {
            await of.TruncateBeforeAsync(cut.FirstRecord, CancellationToken.None);
        }

        if (mutant != Mutant.PublishesUnacknowledged)
        {
            // A block may not cover a number that another owner could give to another record.
            await of.WaitDurableAsync(cut.FirstRecord - 1);
        }

        pending = new PendingBlock(await WriteBlockAsync(ids), cut, ids);
        await PublishAsync(of, pending);
    }

    private async Task PublishAsync(ReplicatedLog of, PendingBlock cut)
    {
        await manifest.SwapAsync(
            now => now.Blocks.Any(b => b.Meta.Ulid == cut.Block.Meta.Ulid) ? now : now with { Blocks = [.. now.Blocks, cut.Block], Cuts = [cut.Cut] }, CancellationToken.None);
        node.Faults.Count("block published");
        pending = null;
        foreach (var id in cut.Ids)
        {
            head.Remove(id);
            inBlocks.Add(id);
        }

        covered = cut.Cut.FirstRecord;
        await of.TruncateBeforeAsync(cut.Cut.FirstRecord, CancellationToken.None);
        node.Faults.Count("log truncated");
    }

    private async Task<ManifestBlock> WriteBlockAsync(long[] ids)
    {
        var ulid = new Ulid(((UInt128)1 << 90) | (UInt128)(ulong)node.World.NextNumber());
        var content = new byte[ids.Length * sizeof(long)];
        for (var i = 0; i < ids.Length; i++)
        {
            BinaryPrimitives.WriteInt64LittleEndian(content.AsSpan(i * sizeof(long)), ids[i]);
        }

        var block = new ManifestBlock(new BlockMeta { Ulid = ulid, MinTime = 0, MaxTime = 1, Metrics = new MetricsMeta { HashRange = shard.Range.ToString() } }, [new BlockFile("ids", content.Length)], []);
        await node.Bucket.PutAsync(KeyOf(block), content, PutCondition.None, CancellationToken.None);
        return block;
    }

    private async Task<byte[]> ReadBlockAsync(ManifestBlock block)
    {
        while (true)
        {
            try
            {
                if (await node.Bucket.GetAsync(KeyOf(block), int.MaxValue, CancellationToken.None) is { } found)
                {
                    return found.Content;
                }

                // A later owner may have replaced and removed it.
                if (node.World.Stored(shard) is { } now && now.Epoch == manifest.Current.Epoch && now.Blocks.Any(b => b.Meta.Ulid == block.Meta.Ulid))
                {
                    node.Faults.Violate($"{shard}: {KeyOf(block)} is in the manifest and gone");
                }

                throw new InvalidDataException($"{KeyOf(block)} is not there");
            }
            catch (ObjectStoreException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(200), node.Process.Time);
            }
        }
    }

    private sealed class Salvaged(SimOwner owner) : ISalvagedRecords
    {
        private readonly List<long> ids = [];

        public void Visit(long number, ReadOnlySpan<byte> payload, long position) => ids.Add(BinaryPrimitives.ReadInt64LittleEndian(payload));

        public async ValueTask<Func<ShardManifest, ShardManifest>> FinishAsync(CancellationToken cancellation)
        {
            var block = await owner.WriteBlockAsync([.. ids]);
            owner.inBlocks.UnionWith(ids);
            return now => now with { Blocks = [.. now.Blocks, block] };
        }

        public void Dispose()
        {
        }
    }

    private sealed record PendingBlock(ManifestBlock Block, LogCut Cut, long[] Ids);

    private string KeyOf(ManifestBlock block) => BucketKeys.Block(shard.Tenant, block.Meta.Ulid.ToString()) + "ids";
}
