using System.Collections.Concurrent;
using Metrics.Model;

namespace Metrics.Cluster.Tests.Replication;

public sealed class MessageLanesTests
{
    [Fact]
    public async Task MessagesForOneLogStartInTheOrderInWhichTheyCame()
    {
        var seen = new ConcurrentDictionary<string, ConcurrentQueue<long>>();
        var lanes = new MessageLanes(async (message, cancellation) =>
        {
            var (log, request) = ReplicaMessage.DecodeRequest(message);
            seen.GetOrAdd(log.Lineage, static _ => []).Enqueue(((ReadRequest)request).From);
            await Task.Yield();
            return message;
        }, 4);

        var answers = new List<Task<ReadOnlyMemory<byte>>>();
        for (var i = 0; i < 2000; i++)
        {
            answers.Add(lanes.AnswerAsync(Message(i % 7, i), default));
        }

        await Task.WhenAll(answers);
        Assert.Equal(7, seen.Count);
        Assert.All(seen.Values, static numbers => Assert.Equal(numbers.Order(), numbers));
        Assert.Equal(2000, seen.Values.Sum(static n => n.Count));
    }

    [Fact]
    public async Task AMessageThatHangsHoldsUpNoOther()
    {
        var hang = new TaskCompletionSource();
        var lanes = new MessageLanes(async (message, cancellation) =>
        {
            if (((ReadRequest)ReplicaMessage.DecodeRequest(message).Request).From == 0)
            {
                await hang.Task;
            }

            return message;
        }, 1);

        var first = lanes.AnswerAsync(Message(1, 0), default);
        await lanes.AnswerAsync(Message(1, 1), default);

        Assert.False(first.IsCompleted);
        hang.SetResult();
        await first;
    }

    [Theory]
    [InlineData("")]
    [InlineData("01")]
    [InlineData("0103ffffffffffffffffff01")]
    [InlineData("010305")]
    public async Task WhatIsNoMessageIsTheAskersError(string hex)
    {
        var lanes = new MessageLanes((message, _) => ValueTask.FromResult(ReplicaMessage.Encode(LogOf(0), ReplicaMessage.DecodeRequest(message).Request)), 3);

        await Assert.ThrowsAsync<InvalidDataException>(() => lanes.AnswerAsync(Convert.FromHexString(hex), default));
    }

    private static byte[] Message(int log, long from) => ReplicaMessage.Encode(LogOf(log), new ReadRequest(from, 1000)).ToArray();

    private static LogId LogOf(int log) => new(new ShardId(TenantId.Parse("team-a"), HashRange.Everything), Convert.ToHexStringLower(Guid.Empty.ToByteArray()[..15]) + log.ToString("x2", null));
}
