using System.Collections.Concurrent;
using System.Text;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Cluster.Replication;

/// <summary>Whole logs on real files and threads: what the simulation can't show.</summary>
public sealed class ReplicatedLogTests : IAsyncLifetime
{
    private static readonly ShardId Shard = new(TenantId.Parse("t"), HashRange.Everything);

    private readonly string folder = Directory.CreateTempSubdirectory("replicated").FullName;
    private readonly MemoryObjectStore store = new(TimeProvider.System);
    private readonly Dictionary<NodeId, LogReplicas> nodes = [];

    public Task InitializeAsync()
    {
        foreach (var name in new[] { "n1", "n2", "n3" })
        {
            nodes[new NodeId(name)] = LogReplicas.Open(new NodeId(name), Path.Combine(folder, name), new LogOptions { Fsync = FsyncPolicy.Never }, TimeProvider.System, _ => { });
        }

        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        foreach (var node in nodes.Values)
        {
            await node.DisposeAsync();
        }

        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task WhatManyThreadsWroteIsThereForTheNextOwner(int factor)
    {
        var written = new List<string>();
        await using (var log = await OpenAsync("n1", factor))
        {
            var gate = new Lock();
            await Task.WhenAll(Enumerable.Range(0, 8).Select(writer => Task.Run(async () =>
            {
                for (var i = 0; i < 200; i++)
                {
                    long number;
                    lock (gate)
                    {
                        written.Add($"{writer}/{i}");
                        number = log.Append(Encoding.UTF8.GetBytes(written[^1]));
                    }

                    await log.WaitDurableAsync(number);
                }
            })));
            Assert.Equal(written.Count, log.Committed);
        }

        await using var next = await OpenAsync(factor == 1 ? "n1" : "n2", factor);
        var read = new Texts();
        await next.ReplayAsync(read, CancellationToken.None);
        Assert.Equal(written, read.All);
        Assert.Equal(2, next.Epoch);
    }

    [Fact]
    public async Task AnOwnerThatWasFollowedAcknowledgesNothingMore()
    {
        await using var old = await OpenAsync("n1", 3);
        await old.WaitDurableAsync(old.Append("acknowledged"u8));
        await using var next = await OpenAsync("n2", 3);
        Exception? refused = null;
        try
        {
            await old.WaitDurableAsync(old.Append("late"u8));
        }
        catch (Exception e)
        {
            refused = e;
        }

        Assert.IsType<EpochLostException>(refused);
        var read = new Texts();
        await next.ReplayAsync(read, CancellationToken.None);
        Assert.Equal(["acknowledged"], read.All);
    }

    [Fact]
    public async Task RecordsThatBlocksHoldAreNotReplayed()
    {
        await using (var log = await OpenAsync("n1", 3))
        {
            for (var i = 0; i < 10; i++)
            {
                await log.WaitDurableAsync(log.Append(Encoding.UTF8.GetBytes($"{i}")));
            }

            await log.TruncateBeforeAsync(7, CancellationToken.None);
        }

        await using var next = await OpenAsync("n3", 3);
        var read = new Texts();
        await next.ReplayAsync(read, CancellationToken.None);
        Assert.Equal(["7", "8", "9"], read.All);
        Assert.Equal(10, next.NextRecord);
    }

    [Fact]
    public async Task WithoutAQuorumALogDoesNotOpen()
    {
        await Assert.ThrowsAsync<LogUnavailableException>(async () =>
        {
            await using var log = await OpenAsync("n1", 5);
            Assert.Fail("five replicas need three, and two nodes are silent");
        });
    }

    /// <summary>Orleans hands messages to threads as they come in, the latest first: a transport that delivers in reverse what is under way at the same time.</summary>
    [Fact]
    public async Task RecordsThatComeWhileABatchIsUnderWayShareTheNextAndNoneOvertakesAnother()
    {
        Reversing? messages = null;
        await using var log = await OpenAsync("n1", 2, inner => messages = new Reversing(inner));
        await log.WaitDurableAsync(log.Append("first"u8));
        messages!.Hold();
        var commits = Enumerable.Range(0, 100).Select(i => log.WaitDurableAsync(log.Append(Encoding.UTF8.GetBytes($"{i}"))).AsTask()).ToList();
        Assert.DoesNotContain(commits, static c => c.IsCompleted);
        var sent = messages.Sent;
        await messages.ReleaseAsync();
        await Task.WhenAll(commits);
        Assert.InRange(messages.Sent - sent, 0, 2);
        Assert.Equal(0, messages.Begun);
    }

    private async Task<ReplicatedLog> OpenAsync(string node, int factor, Func<ILogTransport, ILogTransport>? by = null)
    {
        var self = nodes[new NodeId(node)];
        var silent = factor == 5 ? new NodeId("n3") : default;
        var options = new ReplicationOptions { Factor = factor, OpenTimeout = TimeSpan.Zero, RetryAfter = TimeSpan.FromMilliseconds(1) };
        var services = new ReplicationServices(
            self, by?.Invoke(new Direct(nodes, silent)) ?? new Direct(nodes, silent), (_, _) => [.. nodes.Keys.Where(n => n != self.Node && n != silent)], options, TimeProvider.System, _ => { });
        return await ReplicatedLog.OpenAsync(Shard, ManifestFile.Open(store, Shard), services, CancellationToken.None);
    }

    private sealed class Direct(Dictionary<NodeId, LogReplicas> nodes, NodeId silent) : ILogTransport
    {
        public async ValueTask<ReadOnlyMemory<byte>> SendAsync(NodeId node, ReadOnlyMemory<byte> message, CancellationToken cancellation)
        {
            await Task.Yield();
            return node == silent ? throw new IOException($"{node} is silent") : await nodes[node].AnswerAsync(message, cancellation);
        }
    }

    /// <summary>Keeps messages back from a moment on until they may go, and then sends the latest first; counts them.</summary>
    private sealed class Reversing(ILogTransport inner) : ILogTransport
    {
        private readonly ConcurrentStack<(NodeId Node, ReadOnlyMemory<byte> Message, TaskCompletionSource<ReadOnlyMemory<byte>> Answer)> waiting = new();
        private volatile bool holds;
        private volatile bool counts;
        private int sent;
        private int begun;

        /// <summary>Messages since the moment.</summary>
        public int Sent => sent;

        /// <summary>Those of them that begin a session.</summary>
        public int Begun => begun;

        public void Hold() => (counts, holds) = (true, true);

        public async Task ReleaseAsync()
        {
            holds = false;
            while (waiting.TryPop(out var next))
            {
                next.Answer.SetResult(await inner.SendAsync(next.Node, next.Message, CancellationToken.None));
            }
        }

        public async ValueTask<ReadOnlyMemory<byte>> SendAsync(NodeId node, ReadOnlyMemory<byte> message, CancellationToken cancellation)
        {
            if (counts)
            {
                Interlocked.Increment(ref sent);
                Interlocked.Add(ref begun, ReplicaMessage.DecodeRequest(message).Request is BeginRequest ? 1 : 0);
            }

            if (!holds)
            {
                return await inner.SendAsync(node, message, cancellation);
            }

            var answer = new TaskCompletionSource<ReadOnlyMemory<byte>>(TaskCreationOptions.RunContinuationsAsynchronously);
            waiting.Push((node, message, answer));
            return await answer.Task;
        }
    }

    private sealed class Texts : ILogVisitor
    {
        public List<string> All { get; } = [];

        public void Visit(long number, ReadOnlySpan<byte> payload, long position) => All.Add(Encoding.UTF8.GetString(payload));
    }
}
