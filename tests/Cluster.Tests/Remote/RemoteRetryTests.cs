using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL;
using Metrics.Testing;

namespace Metrics.Cluster.Tests.Remote;

/// <summary>A question whose shard is away for a moment is asked again; whatever changes something is not.</summary>
public sealed class RemoteRetryTests
{
    private static readonly ShardId id = new(TenantId.Parse("t"), HashRange.Everything);
    private static readonly LabelQuery everything = new([], TimeRange.All, 0);

    private readonly FakeTime time = new(1_000_000);

    [Fact]
    public async Task AQuestionIsAskedAgainUntilItIsAnswered()
    {
        var channel = new FailingChannel(time, failures: 4);
        var shard = Over(channel);

        Assert.Equal(["job"], await AdvancedAsync(shard.LabelNamesAsync(everything, default).AsTask()));

        Assert.Equal([0, 200, 600, 1400, 3000], channel.AskedAtMs);
    }

    [Fact]
    public async Task AShardThatStaysAwayIsAskedFiveTimesMore()
    {
        var channel = new FailingChannel(time, failures: 1000);

        var e = await Assert.ThrowsAsync<ShardUnavailableException>(() => AdvancedAsync(Over(channel).LabelNamesAsync(everything, default).AsTask()));

        Assert.Equal("its owner is gone", e.Reason);
        Assert.Equal([0, 200, 600, 1400, 3000, 6200], channel.AskedAtMs);
    }

    [Fact]
    public async Task AnOwnerThatTakesItsTimeToSayNoIsNotAskedForMinutes()
    {
        var channel = new FailingChannel(time, failures: 1000, takes: TimeSpan.FromSeconds(7));

        await Assert.ThrowsAsync<ShardUnavailableException>(() => AdvancedAsync(Over(channel).LabelNamesAsync(everything, default).AsTask()));

        Assert.Equal(2, channel.AskedAtMs.Count);
    }

    [Fact]
    public async Task WhoeverHasNoMoreTimeDoesNotWait()
    {
        var channel = new FailingChannel(time, failures: 1000);
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(2), time);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => AdvancedAsync(Over(channel).LabelNamesAsync(everything, deadline.Token).AsTask(), waiting: 2));

        Assert.Equal(2000, time.NowMs - 1_000_000);
    }

    [Theory]
    [InlineData("append")]
    [InlineData("delete")]
    [InlineData("flush")]
    [InlineData("statistics")]
    public async Task WhatChangesSomethingAndWhatIsAskedForAPageOfStatusIsAskedOnce(string what)
    {
        var channel = new FailingChannel(time, failures: 1);
        var shard = Over(channel);

        await Assert.ThrowsAsync<ShardUnavailableException>(() => what switch
        {
            "append" => shard.AppendAsync(new SampleBatch(), default).AsTask(),
            "delete" => shard.DeleteAsync(everything, default).AsTask(),
            "flush" => shard.FlushAsync(default).AsTask(),
            _ => shard.StatisticsAsync(default).AsTask(),
        });

        Assert.Single(channel.AskedAtMs);
    }

    [Fact]
    public async Task AShardThatHasMovedIsNotAskedAgain()
    {
        var channel = new FailingChannel(time, failures: 1, failure: new ShardMovedException());

        var e = await Assert.ThrowsAsync<ShardUnavailableException>(() => Over(channel).LabelNamesAsync(everything, default).AsTask());

        Assert.True(e.IsMoved);
    }

    [Fact]
    public async Task AQueryWhoseBlocksCanNotBeReadNowIsAskedAgain()
    {
        var channel = new FailingChannel(time, failures: 1, answer: () =>
        {
            var to = ShardMessage.Begin(ShardAnswer.QueryFailed);
            to.Byte((byte)QueryErrorKind.Unavailable);
            to.Text("the bucket is away");
            return to.Written;
        });
        var fragment = new Fragment("up", TimeGrid.Instant(0), false, 1, false, 1, false, false, 1, 0);

        using var result = await AdvancedAsync(Over(channel).RunAsync(fragment, default).AsTask());

        Assert.Equal([0, 200], channel.AskedAtMs);
    }

    private RemoteShard Over(IShardChannel channel) => new(id, channel, new MemoryObjectStore(time), time);

    /// <summary>Moves the clock on whenever so many wait for it.</summary>
    private async Task<T> AdvancedAsync<T>(Task<T> work, int waiting = 1)
    {
        while (!work.IsCompleted)
        {
            if (time.Timers >= waiting)
            {
                time.Advance(TimeSpan.FromMilliseconds(50));
            }

            await Task.Yield();
        }

        return await work;
    }

    /// <summary>Fails so often, and answers with one label's name, or an empty result, then.</summary>
    private sealed class FailingChannel(FakeTime time, int failures, TimeSpan takes = default, IOException? failure = null, Func<ReadOnlyMemory<byte>>? answer = null) : IShardChannel
    {
        private readonly long start = time.NowMs;

        public List<long> AskedAtMs { get; } = [];

        public async ValueTask<ReadOnlyMemory<byte>> CallAsync(ReadOnlyMemory<byte> call, CancellationToken cancellation)
        {
            AskedAtMs.Add(time.NowMs - start);
            if (takes > TimeSpan.Zero)
            {
                await Task.Delay(takes, time, cancellation);
            }

            if (AskedAtMs.Count <= failures)
            {
                return answer is not null ? answer() : throw failure ?? new IOException("its owner is gone");
            }

            var from = new ByteReader(call.Span);
            var to = ShardMessage.Begin(ShardAnswer.Done);
            if (ShardMessage.Call(ref from) == ShardCall.Run)
            {
                using var empty = new FragmentResult();
                FragmentResultBytes.Write(to, empty);
            }
            else
            {
                ShardMessage.Write(to, ["job"]);
            }

            return to.Written;
        }
    }
}
