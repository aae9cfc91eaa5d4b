using System.Diagnostics;
using Metrics.Model;

namespace Metrics.Cluster.Tests.Nodes;

/// <summary>Shards on several nodes: what was acknowledged survives whoever held it, and who was overtaken does no harm.</summary>
public sealed class ShardNodeTests
{
    [Fact]
    public async Task WhatWasAcknowledgedIsThereWhenItsOwnerDies()
    {
        await using var world = new NodeWorld();
        var nodes = new[] { world.Start("a", 3), world.Start("b", 3), world.Start("c", 3) };
        await nodes[0].OpenShardAsync(NodeWorld.Shard, default);
        var shard = world.At(nodes[0]);
        var known = await NodeWorld.WriteAsync(shard, 1000, 1, "x", "y");
        await NodeWorld.WriteAsync(shard, known, 2000, 2);
        world.CutOff(nodes[0]);
        await NodeWorld.TakeOverAsync(nodes[1]);
        Assert.Equal(["x@1000=1", "x@2000=2", "y@1000=1", "y@2000=2"], await NodeWorld.ReadAsync(world.At(nodes[1])));
        Assert.Equal(AppendStatus.StaleReferences, (await AppendByReferenceAsync(world.At(nodes[1]), known)).Status);
        await NodeWorld.WriteAsync(world.At(nodes[1]), 3000, 3, "x");
        world.CutOff(nodes[1]);
        world.Rejoin(nodes[0]);
        await NodeWorld.TakeOverAsync(nodes[2]);
        Assert.Equal(5, (await NodeWorld.ReadAsync(world.At(nodes[2]))).Count);
    }

    [Fact]
    public async Task WhenMoreNodesAreLostThanTheQuorumBearsShardsThatKeepTheirsGoOnAndTheOthersWait()
    {
        await using var world = new NodeWorld();
        var nodes = new[] { "a", "b", "c", "d", "e" }.Select(name => world.Start(name, 3)).ToArray();
        var (low, high) = HashRange.Everything.Split();
        var (losing, keeping) = (new ShardId(NodeWorld.Shard.Tenant, low), new ShardId(NodeWorld.Shard.Tenant, high));

        var (x, y) = (NameIn(low), NameIn(high));

        // Two of three logs of the one shard lie on the nodes that will be lost, and one of three of the other's.
        await OpenAmongAsync(losing, nodes[0], nodes[1], nodes[2]);
        await OpenAmongAsync(keeping, nodes[3], nodes[1], nodes[4]);
        await NodeWorld.WriteAsync(world.At(nodes[0], losing), 1000, 1, x);
        await NodeWorld.WriteAsync(world.At(nodes[3], keeping), 1000, 1, y);
        world.CutOff(nodes[0]);
        world.CutOff(nodes[1]);

        for (var i = 2; i <= 20; i++)
        {
            await NodeWorld.WriteAsync(world.At(nodes[3], keeping), i * 1000, i, y);
            if (i % 6 == 0)
            {
                // Whoever is asked to take the other one over says that it can't, which is a 503, and has acknowledged nothing.
                await Assert.ThrowsAsync<ShardUnavailableException>(async () => await nodes[2 + (i / 6 % 3)].OpenShardAsync(losing, default));
            }
        }

        // The lost owner itself acknowledges nothing.
        var unheard = NodeWorld.WriteAsync(world.At(nodes[0], losing), 2000, 2, x);
        Assert.Equal(20, (await NodeWorld.ReadAsync(world.At(nodes[3], keeping))).Count);

        // A majority is enough.
        world.Rejoin(nodes[1]);
        await nodes[2].OpenShardAsync(losing, default);
        await NodeWorld.WriteAsync(world.At(nodes[2], losing), 3000, 3, x);
        var left = await NodeWorld.ReadAsync(world.At(nodes[2], losing));
        Assert.Contains($"{x}@1000=1", left);
        Assert.Contains($"{x}@3000=3", left);
        await NodeWorld.WriteAsync(world.At(nodes[3], keeping), 21_000, 21, y);
        Assert.False(unheard.IsCompletedSuccessfully);
        world.Rejoin(nodes[0]);
        await Assert.ThrowsAsync<ShardUnavailableException>(() => unheard);

        static string NameIn(HashRange range) => Enumerable.Range(0, 100).Select(i => $"m{i}").First(name => range.Contains(NodeWorld.LabelsOf(name).Hash));

        async Task OpenAmongAsync(ShardId shard, params ShardNode[] members)
        {
            var others = nodes.Except(members).ToList();
            others.ForEach(world.CutOff);
            await members[0].OpenShardAsync(shard, default);
            others.ForEach(world.Rejoin);
            Assert.Equal(members.Select(m => m.Id.Value).Order(StringComparer.Ordinal), (await world.ManifestAsync(shard)).Log!.Last.Members.Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public async Task AnOwnerWithoutFollowersTurnsWritesAwayUntilTheyAreBackAndAnswersQueries()
    {
        await using var world = new NodeWorld();
        var nodes = new[] { "a", "b", "c" }.Select(name => world.Start(name, 3, acknowledgeWithin: TimeSpan.FromSeconds(1))).ToArray();
        await nodes[0].OpenShardAsync(NodeWorld.Shard, default);
        var shard = world.At(nodes[0]);
        await NodeWorld.WriteAsync(shard, 1000, 1, "x");
        world.CutOff(nodes[1]);
        world.CutOff(nodes[2]);

        Assert.Contains("whether the samples are held is open", (await Assert.ThrowsAsync<ShardUnavailableException>(() => NodeWorld.WriteAsync(shard, 2000, 2, "x"))).Message);

        // Now nobody waits any more.
        for (var i = 0; i < 100; i++)
        {
            Assert.Contains("too much waits", (await Assert.ThrowsAsync<ShardUnavailableException>(() => NodeWorld.WriteAsync(shard, 2000, 2, "x"))).Message);
        }

        Assert.Contains("x@1000=1", await NodeWorld.ReadAsync(shard));
        world.Rejoin(nodes[2]);
        for (var deadline = Stopwatch.StartNew(); ;)
        {
            try
            {
                // What was open is sent again, and is there once.
                await NodeWorld.WriteAsync(shard, 2000, 2, "x");
                break;
            }
            catch (ShardUnavailableException) when (deadline.Elapsed < TimeSpan.FromSeconds(60))
            {
                await Task.Delay(5);
            }
        }

        await NodeWorld.WriteAsync(shard, 3000, 3, "x");
        world.Rejoin(nodes[1]);
        world.CutOff(nodes[0]);
        await NodeWorld.TakeOverAsync(nodes[2]);
        Assert.Equal(["x@1000=1", "x@2000=2", "x@3000=3"], await NodeWorld.ReadAsync(world.At(nodes[2])));
    }

    [Fact]
    public async Task AnOwnerThatWasOvertakenNeitherAcknowledgesNorPublishesNorAnswers()
    {
        await using var world = new NodeWorld();
        var nodes = new[] { world.Start("a", 3), world.Start("b", 3), world.Start("c", 3) };
        await nodes[0].OpenShardAsync(NodeWorld.Shard, default);
        await NodeWorld.WriteAsync(world.At(nodes[0]), 1000, 1, "x");
        var gone = nodes[0].ClosedAsync(NodeWorld.Shard);
        await nodes[1].OpenShardAsync(NodeWorld.Shard, default);
        var before = await world.ManifestAsync();
        await Assert.ThrowsAsync<ShardUnavailableException>(() => NodeWorld.WriteAsync(world.At(nodes[0]), 2000, 2, "x"));
        await gone.WaitAsync(TimeSpan.FromSeconds(60));
        await Assert.ThrowsAsync<ShardUnavailableException>(() => NodeWorld.ReadAsync(world.At(nodes[0])));
        var manifest = await world.ManifestAsync();
        Assert.Equal(before.Epoch, manifest.Epoch);
        Assert.Empty(manifest.Blocks);
        Assert.Equal(["x@1000=1"], await NodeWorld.ReadAsync(world.At(nodes[1])));
        Assert.Contains(world.Reports, r => r.Contains("serves no more here", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AnOvertakenOwnerThatOnlyPublishesIsRefused()
    {
        await using var world = new NodeWorld();
        var nodes = new[] { world.Start("a", 3), world.Start("b", 3), world.Start("c", 3) };
        await nodes[0].OpenShardAsync(NodeWorld.Shard, default);
        await NodeWorld.WriteAsync(world.At(nodes[0]), 1000, 1, "x");
        await nodes[1].OpenShardAsync(NodeWorld.Shard, default);
        var refused = await Assert.ThrowsAsync<ShardUnavailableException>(async () => await world.At(nodes[0]).FlushAsync(default));
        Assert.Empty((await world.ManifestAsync()).Blocks);
        await NodeWorld.UntilAsync(() => nodes[0].Shards.Count == 0, $"the shard is closed after: {refused.Message}");
        await world.At(nodes[1]).FlushAsync(default);
        Assert.Single((await world.ManifestAsync()).Blocks);
    }

    [Fact]
    public async Task AHandOverUnderLoadLosesAndDoublesNothing()
    {
        await using var world = new NodeWorld();
        var nodes = new[] { world.Start("a", 3), world.Start("b", 3), world.Start("c", 3) };
        var owner = nodes[0];
        await owner.OpenShardAsync(NodeWorld.Shard, default);
        using var stop = new CancellationTokenSource();
        var acknowledged = new List<string>();
        var writing = Task.Run(async () =>
        {
            for (var i = 1; !stop.IsCancellationRequested; i++)
            {
                while (true)
                {
                    try
                    {
                        await NodeWorld.WriteAsync(world.At(Volatile.Read(ref owner)), i, i, "x");
                        acknowledged.Add($"x@{i}={i}");
                        break;
                    }
                    catch (ShardUnavailableException)
                    {
                        await Task.Yield(); // It moves.
                    }
                }
            }
        });
        foreach (var next in new[] { nodes[1], nodes[2], nodes[0], nodes[1] })
        {
            var seen = acknowledged.Count;
            await NodeWorld.UntilAsync(() => acknowledged.Count > seen + 3 || writing.IsFaulted, "writes go on");
            await next.CatchUpAsync(NodeWorld.Shard, default);
            await owner.CloseShardAsync(NodeWorld.Shard);
            await next.OpenShardAsync(NodeWorld.Shard, default);
            Volatile.Write(ref owner, next);
        }

        await stop.CancelAsync();
        await writing;
        Assert.Equal(acknowledged, await NodeWorld.ReadAsync(world.At(owner)));
        Assert.Equal(5, (await world.ManifestAsync()).Epoch);
    }

    [Fact]
    public async Task ALostFollowerIsReplacedAndItsReplacementHasEverything()
    {
        await using var world = new NodeWorld();
        var nodes = new[] { world.Start("a", 3), world.Start("b", 3), world.Start("c", 3) };
        await nodes[0].OpenShardAsync(NodeWorld.Shard, default);
        await NodeWorld.WriteAsync(world.At(nodes[0]), 1000, 1, "x");
        var fresh = world.Start("d", 3);
        world.CutOff(nodes[1]);
        nodes[0].OnNodeLost(nodes[1].Id);
        await NodeWorld.WriteAsync(world.At(nodes[0]), 2000, 2, "x");
        await NodeWorld.UntilAsync(
            () => nodes[0].Shards.Single().Followers is var members && members.Any(m => m.Node == fresh.Id && m.IsWhole && m.Lag == 0) && members.Count == 3, "the new one has caught up");
        await NodeWorld.UntilAsync(() => world.ManifestAsync().Result.Log!.Ranges.Count == 1, "one range holds all");
        Assert.Contains(fresh.Id, await fresh.HoldersAsync(NodeWorld.Shard, default));
        Assert.DoesNotContain(nodes[1].Id, await fresh.HoldersAsync(NodeWorld.Shard, default));
        world.CutOff(nodes[0]);
        await fresh.OpenShardAsync(NodeWorld.Shard, default);
        Assert.Equal(["x@1000=1", "x@2000=2"], await NodeWorld.ReadAsync(world.At(fresh)));
    }

    [Fact]
    public async Task AShardOfOneReplicaOpensWhereItsLogIsAndNowhereElse()
    {
        await using var world = new NodeWorld();
        var nodes = new[] { world.Start("a", 1), world.Start("b", 1, grace: TimeSpan.FromMilliseconds(1)) };
        await nodes[0].OpenShardAsync(NodeWorld.Shard, default);
        await NodeWorld.WriteAsync(world.At(nodes[0]), 1000, 1, "x");
        await nodes[0].CloseShardAsync(NodeWorld.Shard);
        await nodes[0].OpenShardAsync(NodeWorld.Shard, default);
        Assert.Equal(["x@1000=1"], await NodeWorld.ReadAsync(world.At(nodes[0])));
        await nodes[1].OpenShardAsync(NodeWorld.Shard, default);
        Assert.Equal(["x@1000=1"], await NodeWorld.ReadAsync(world.At(nodes[1])));
        world.CutOff(nodes[1]);
        using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await nodes[0].OpenShardAsync(NodeWorld.Shard, patience.Token));
        Assert.Equal(ShardState.Opening, nodes[0].Shards.Single().State);
        await nodes[0].CloseShardAsync(NodeWorld.Shard);
        Assert.Empty(nodes[0].Shards);
    }

    [Fact]
    public async Task ALogThatWasGivenUpForLostComesBackAsABlock()
    {
        await using var world = new NodeWorld();
        var nodes = new[] { world.Start("a", 1), world.Start("b", 1, grace: TimeSpan.FromMilliseconds(1)) };
        await nodes[0].OpenShardAsync(NodeWorld.Shard, default);
        await NodeWorld.WriteAsync(world.At(nodes[0]), 1000, 1, "x");
        world.CutOff(nodes[0]);
        await nodes[1].OpenShardAsync(NodeWorld.Shard, default);
        var shard = world.At(nodes[1]);
        Assert.Empty(await NodeWorld.ReadAsync(shard));
        await NodeWorld.WriteAsync(shard, 2000, 2, "x");
        Assert.Single((await world.ManifestAsync()).LostLogs);
        world.Rejoin(nodes[0]);
        await shard.FlushAsync(default);
        await shard.FlushAsync(default);
        Assert.Empty((await world.ManifestAsync()).LostLogs);
        Assert.Equal(["x@1000=1", "x@2000=2"], await NodeWorld.ReadAsync(shard));
    }

    [Fact]
    public async Task WhatIsPublishedLeavesTheLogAndTheNextOwnerHasIt()
    {
        await using var world = new NodeWorld();
        var nodes = new[] { world.Start("a", 3), world.Start("b", 3), world.Start("c", 3) };
        await nodes[0].OpenShardAsync(NodeWorld.Shard, default);
        var shard = world.At(nodes[0]);
        var expected = new List<string>();
        var known = await NodeWorld.WriteAsync(shard, 1000, 1, "x", "y");
        for (var i = 2; i < 200; i++)
        {
            await NodeWorld.WriteAsync(shard, known, i * 1000, i);
        }

        await shard.FlushAsync(default);
        var manifest = await world.ManifestAsync();
        Assert.Equal(199, manifest.Log!.Start);
        Assert.NotNull(manifest.Log.Checkpoint);
        await NodeWorld.WriteAsync(shard, 200_000, 200, "x", "y");
        world.CutOff(nodes[0]);
        await nodes[2].OpenShardAsync(NodeWorld.Shard, default);
        for (var i = 1; i <= 200; i++)
        {
            expected.Add($"x@{i * 1000}={i}");
        }

        expected.AddRange(expected.Select(e => "y" + e[1..]).ToList());
        Assert.Equal(expected, await NodeWorld.ReadAsync(world.At(nodes[2])));
        Assert.DoesNotContain(world.Reports, r => r.Contains("lost", StringComparison.Ordinal));

        // The next checkpoint takes the place of that one.
        await NodeWorld.WriteAsync(world.At(nodes[2]), 300_000, 1, "x");
        await world.At(nodes[2]).FlushAsync(default);
        var checkpoints = new List<string>();
        await foreach (var found in world.Bucket.ListAsync(BucketKeys.Checkpoints(NodeWorld.Shard), default))
        {
            checkpoints.Add(found.Key);
        }

        Assert.Equal([(await world.ManifestAsync()).Log!.Checkpoint!], checkpoints);
    }

    [Fact]
    public async Task WithoutABucketNothingIsLetGoOfAndNothingIsLost()
    {
        await using var world = new NodeWorld();
        var nodes = new[] { world.Start("a", 3), world.Start("b", 3), world.Start("c", 3) };
        var local = (Shard)await nodes[0].OpenShardAsync(NodeWorld.Shard, default);
        await NodeWorld.WriteAsync(local, 1000, 1, "x", "y");
        world.CutOff(nodes[0]);
        await Assert.ThrowsAsync<ShardUnavailableException>(async () => await local.FlushAsync(default));
        Assert.Equal(1, local.Statistics.PendingBlocks);
        Assert.Equal(["x@1000=1", "y@1000=1"], await NodeWorld.ReadAsync(local));
        await nodes[1].OpenShardAsync(NodeWorld.Shard, default);
        Assert.Equal(["x@1000=1", "y@1000=1"], await NodeWorld.ReadAsync(world.At(nodes[1])));
        await world.At(nodes[1]).FlushAsync(default);

        // Back on the first node, where the block was cut and never published, it must not come up beside the other.
        world.Rejoin(nodes[0]);
        await nodes[1].CloseShardAsync(NodeWorld.Shard);
        await nodes[0].CloseShardAsync(NodeWorld.Shard);
        await nodes[0].OpenShardAsync(NodeWorld.Shard, default);
        await world.At(nodes[0]).FlushAsync(default);
        Assert.Single((await world.ManifestAsync()).Blocks);
        Assert.Equal(["x@1000=1", "y@1000=1"], await NodeWorld.ReadAsync(world.At(nodes[0])));
    }

    [Fact]
    public async Task ANodeKeepsItsNameAndCallsForOneShardShareOneOpening()
    {
        await using var world = new NodeWorld();
        var node = world.Start("a", 1);
        var opened = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => node.OpenShardAsync(NodeWorld.Shard, default).AsTask()));
        Assert.Single(opened.Distinct());
        Assert.Equal(1, (await world.ManifestAsync()).Epoch);
        var name = node.Id;
        await node.DisposeAsync();
        await Assert.ThrowsAsync<ShardUnavailableException>(async () => await node.OpenShardAsync(NodeWorld.Shard, default));
        Assert.Equal(name, world.Start("a", 1).Id);
    }

    private static ValueTask<AppendResult> AppendByReferenceAsync(IShard shard, AppendResult known)
    {
        var batch = new SampleBatch { Incarnation = known.Incarnation };
        batch.Add(known.NewSeriesRefs[0], 5000, 5);
        return shard.AppendAsync(batch, CancellationToken.None);
    }
}
