using Metrics.Testing;
using Xunit;

namespace Metrics.Model.Tests;

public class ProcessorSharesTests
{
    /// <summary>Threads' names, which tell their priority on any system.</summary>
    private const string Low = "long work";
    private const string Lowest = "longest work";

    private static readonly TenantId a = TenantId.Parse("a");
    private static readonly TenantId b = TenantId.Parse("b");

    private readonly FakeTime time = new(1_700_000_000_000);

    [Fact]
    public async Task AsManyRunAsThereAreProcessorsAndTheRestWaits()
    {
        var shares = new ProcessorShares(2, time);
        var first = await shares.EnterAsync(a, ProcessorUse.Query, default);
        var second = await shares.EnterAsync(a, ProcessorUse.Query, default);
        var third = shares.EnterAsync(a, ProcessorUse.Query, default).AsTask();
        Assert.Equal((2, 1), shares.Load);
        first.Dispose();
        first.Dispose();
        (await third).Dispose();
        second.Dispose();
        Assert.Equal((0, 0), shares.Load);
    }

    [Fact]
    public async Task WhoHasUsedLessRunsAtOnceAndTheOtherMakesRoomAtItsNextCheckpoint()
    {
        var shares = new ProcessorShares(2, time);
        using var other = await shares.EnterAsync(a, ProcessorUse.Query, default);
        var heavy = new Piece(await shares.EnterAsync(a, ProcessorUse.Query, default));
        Pass(500);
        var entering = shares.EnterAsync(b, ProcessorUse.Query, default);
        Assert.True(entering.IsCompleted);
        Assert.Equal((3, 0), shares.Load);
        Pass(5);
        heavy.Check();
        await UntilAsync(() => shares.Load == (2, 1));
        Assert.False(heavy.HasPassed);
        (await entering).Dispose();
        await heavy.PassedAsync();
        Assert.Equal((2, 0), shares.Load);
        await heavy.EndAsync();
    }

    [Fact]
    public async Task ATenantsWritesDoNotWaitForItsQueries()
    {
        var shares = new ProcessorShares(1, time);
        using var query = await shares.EnterAsync(a, ProcessorUse.Query, default);
        Pass(500);
        var write = shares.EnterAsync(a, ProcessorUse.Write, default);
        Assert.True(write.IsCompleted);
        (await write).Dispose();
    }

    [Fact]
    public async Task OfOneTenantWhatIsShortDoesNotWaitForWhatIsLong()
    {
        var shares = new ProcessorShares(1, time);
        var heavy = new Piece(await shares.EnterAsync(a, ProcessorUse.Query, default));
        Pass(500);
        var light = shares.EnterAsync(a, ProcessorUse.Query, default).AsTask();
        heavy.Check();
        var turn = await light;
        Assert.False(heavy.HasPassed);
        Pass(1);
        turn.Dispose();
        await heavy.PassedAsync();
        await heavy.EndAsync();
    }

    [Fact]
    public async Task WhoHasHadMostIsBelowAllOthersAsLongAsThereAreAny()
    {
        var shares = new ProcessorShares(2, time);
        await UseAsync(shares, a, 500);
        Assert.Equal(Low, await LongWorkOf(a));
        await UseAsync(shares, b, 2); // They are compared once a slice.
        Assert.Equal(Lowest, await LongWorkOf(a));
        Assert.Equal(Low, await LongWorkOf(b));
        await UseAsync(shares, b, 500);
        Assert.Equal(Low, await LongWorkOf(a));
        Assert.Equal(Lowest, await LongWorkOf(b));
        Pass((long)ProcessorShares.Presence.TotalMilliseconds + 1);
        Assert.Equal(Low, await LongWorkOf(b));

        Task<string?> LongWorkOf(TenantId tenant) => shares.RunAsync(tenant, ProcessorUse.Query, ThreadName, default);
    }

    /// <summary>Its writes run on the pool's threads, as everybody's; at checkpoints they give others the processor, which costs a tenant that is alone a fifth of its samples a second.</summary>
    [Fact]
    public async Task WhoHasHadMostMakesWayForOtherThreadsAsLongAsThereAreAny()
    {
        var shares = new ProcessorShares(2, time);
        Assert.False(await MakesWay(a, 500));
        Assert.False(await MakesWay(b, 2));
        Assert.True(await MakesWay(a, 1));
        Assert.False(await MakesWay(b, 1000));
        Assert.True(await MakesWay(b, 1));
        Pass((long)ProcessorShares.Presence.TotalMilliseconds + 1);
        Assert.False(await MakesWay(b, 1));

        async Task<bool> MakesWay(TenantId tenant, long milliseconds)
        {
            using var turn = await shares.EnterAsync(tenant, ProcessorUse.Write, default);
            Pass(milliseconds);
            return turn.HasHadMost;
        }
    }

    [Fact]
    public async Task AShortQueryThatHadToWaitIsBelowAllOthersTooAndAWriteIsNot()
    {
        var shares = new ProcessorShares(1, time);
        await UseAsync(shares, b, 1);
        Assert.Equal(Lowest, await WaitedFor(ProcessorUse.Query, 500));
        Assert.NotEqual(Lowest, await WaitedFor(ProcessorUse.Write, 2000));

        async Task<string?> WaitedFor(ProcessorUse use, long milliseconds)
        {
            var running = await shares.EnterAsync(a, use, default);
            Pass(milliseconds);
            var waiting = shares.RunHereAsync(a, use, ThreadName, default).AsTask();
            Assert.Equal((1, 1), shares.Load);
            running.Dispose();
            return await waiting;
        }
    }

    [Fact]
    public async Task NobodyYieldsBeforeASliceIsOver()
    {
        var shares = new ProcessorShares(1, time);
        var heavy = new Piece(await shares.EnterAsync(a, ProcessorUse.Query, default));
        var light = shares.EnterAsync(a, ProcessorUse.Query, default).AsTask();
        Pass(1);
        heavy.Check();
        await heavy.PassedAsync();
        Assert.False(light.IsCompleted);
        await heavy.EndAsync();
        (await light).Dispose();
    }

    [Fact]
    public async Task TenantsGetEquallyMuchHoweverManyPiecesTheyHave()
    {
        var shares = new ProcessorShares(1, time);
        var pieces = new Dictionary<string, int>(StringComparer.Ordinal) { ["a"] = 30, ["b"] = 1, ["c"] = 4 };
        var used = pieces.Keys.ToDictionary(k => k, _ => 0L, StringComparer.Ordinal);
        var waiting = pieces.SelectMany(p => Enumerable.Repeat(p.Key, p.Value)).Select(t => (Tenant: t, Entering: shares.EnterAsync(TenantId.Parse(t), ProcessorUse.Query, default).AsTask())).ToList();
        for (var round = 0; round < 3000; round++)
        {
            await UntilAsync(() => waiting.Count(w => w.Entering.IsCompleted) == shares.Load.Running);
            Pass(5);
            foreach (var (who, _) in waiting.Where(w => w.Entering.IsCompleted))
            {
                used[who] += 5;
            }

            var at = waiting.FindIndex(w => w.Entering.IsCompleted);
            var (tenant, entered) = waiting[at];
            waiting.RemoveAt(at);
            (await entered).Dispose();
            waiting.Add((tenant, shares.EnterAsync(TenantId.Parse(tenant), ProcessorUse.Query, default).AsTask()));
        }

        var share = used.Values.Sum() / 3.0;
        Assert.All(used.Values, u => Assert.InRange(u, share * 0.95, share * 1.05));
    }

    [Fact]
    public async Task IdlingSavesNothingUp()
    {
        var shares = new ProcessorShares(1, time);
        (await shares.EnterAsync(b, ProcessorUse.Query, default)).Dispose();
        var heavy = await shares.EnterAsync(a, ProcessorUse.Query, default);
        Pass(60_000);

        // What it may have more than a is its credit, and then it is a's turn.
        var other = await shares.EnterAsync(b, ProcessorUse.Query, default);
        Pass(300);
        heavy.Dispose();
        var its = shares.EnterAsync(a, ProcessorUse.Query, default).AsTask();
        var second = shares.EnterAsync(b, ProcessorUse.Query, default).AsTask();
        other.Dispose();
        Assert.Same(second, await Task.WhenAny(its, second));
        var third = shares.EnterAsync(b, ProcessorUse.Query, default).AsTask();
        Pass(200);
        (await second).Dispose();
        Assert.Same(its, await Task.WhenAny(its, third));
        (await its).Dispose();
        (await third).Dispose();
    }

    [Fact]
    public async Task WhoGivesUpLeavesTheQueue()
    {
        var shares = new ProcessorShares(1, time);
        using var running = await shares.EnterAsync(a, ProcessorUse.Query, default);
        using var stop = new CancellationTokenSource();
        var gone = shares.EnterAsync(a, ProcessorUse.Query, stop.Token).AsTask();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        Assert.Equal((1, 0), shares.Load);
    }

    /// <summary>Cancelling ends the wait for a turn. Work that has begun looks at the token itself, and may be waiting for its turn again then.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task WorkThatHasBegunIsNotTakenOutOfTheQueue(bool isAside)
    {
        var shares = new ProcessorShares(1, time);
        using var stop = new CancellationTokenSource();
        using var goOn = new ManualResetEventSlim();
        using var begun = new ManualResetEventSlim();
        var work = shares.RunAsync(
            a,
            ProcessorUse.Query,
            () =>
            {
                using (isAside ? ProcessorTurn.Aside() : default)
                {
                    begun.Set();
                    goOn.Wait();
                }

                ProcessorTurn.Checkpoint();
                return 7;
            },
            stop.Token);
        begun.Wait();
        Pass(500);
        var other = await shares.EnterAsync(b, ProcessorUse.Query, default);
        if (!isAside)
        {
            Pass(10); // More than a slice, before which nobody yields.
        }

        goOn.Set();
        await UntilAsync(() => shares.Load == (1, 1));
        await stop.CancelAsync();
        Assert.Equal((1, 1), shares.Load);
        other.Dispose();
        Assert.Equal(7, await work);
        Assert.Equal((0, 0), shares.Load);
    }

    /// <summary>To wake another at its end, a thread of the lowest priority may have to wait for it.</summary>
    [Fact]
    public async Task AThreadThatEndsAPieceGoesOnWithTheNext()
    {
        var shares = new ProcessorShares(1, time);
        using var all = new ManualResetEventSlim();
        var pieces = Enumerable.Range(0, 20).Select(_ => shares.RunAsync(
            a,
            ProcessorUse.Query,
            () =>
            {
                all.Wait();
                return (Environment.CurrentManagedThreadId, ThreadName());
            },
            default)).ToList();
        Assert.Equal((1, 19), shares.Load);
        all.Set();
        var (_, name) = Assert.Single((await Task.WhenAll(pieces)).Distinct());
        Assert.Equal(Low, name);
        Assert.Equal((0, 0), shares.Load);
    }

    /// <summary>What whoever asked has in its context, its trace for one, is there where its work is done, and not where another's is.</summary>
    [Fact]
    public async Task WorkRunsInTheContextOfWhoeverAskedForIt()
    {
        var shares = new ProcessorShares(1, time);
        var asker = new AsyncLocal<int>();
        using var all = new ManualResetEventSlim();
        var pieces = Enumerable.Range(1, 20).Select(i =>
        {
            asker.Value = i;
            return i % 2 == 0 ? shares.RunHereAsync(a, ProcessorUse.Query, Look, default).AsTask() : shares.RunAsync(a, ProcessorUse.Query, Look, default);
        }).ToList();
        all.Set();
        Assert.Equal(Enumerable.Range(1, 20), await Task.WhenAll(pieces));

        int Look()
        {
            all.Wait();
            return asker.Value;
        }
    }

    [Fact]
    public async Task WorkThatWaitsForSomethingElseLeavesItsTurnToOthers()
    {
        var shares = new ProcessorShares(1, time);
        var answer = await shares.RunAsync(
            a,
            ProcessorUse.Query,
            () =>
            {
                using (ProcessorTurn.Aside())
                {
                    Assert.Equal((0, 0), shares.Load);
                    shares.EnterAsync(a, ProcessorUse.Query, default).AsTask().GetAwaiter().GetResult().Dispose();
                }

                Assert.Equal((1, 0), shares.Load);
                return 7;
            },
            default);
        Assert.Equal(7, answer);
        Assert.Equal((0, 0), shares.Load);
    }

    [Fact]
    public async Task ForEachDoesEveryPieceOnceAndThrowsTheFirstFailure()
    {
        var shares = new ProcessorShares(4, TimeProvider.System);
        var done = new int[1000];
        await shares.RunAsync(a, ProcessorUse.Query, () => Do(i => Interlocked.Increment(ref done[i])), default);
        Assert.All(done, d => Assert.Equal(1, d));
        await Assert.ThrowsAsync<InvalidDataException>(() => shares.RunAsync(a, ProcessorUse.Query, () => Do(i => i == 500 ? throw new InvalidDataException("500") : 0), default));
        Assert.Equal((0, 0), shares.Load);

        static bool Do(Func<int, int> body)
        {
            ProcessorShares.ForEach(1000, i => body(i));
            return true;
        }
    }

    [Fact]
    public async Task UnderRandomLoadEverythingIsDone()
    {
        const int Seed = 5;
        var shares = new ProcessorShares(2, TimeProvider.System);
        var random = new Random(Seed);
        var work = Enumerable.Range(0, 400).Select(_ => (Tenant: TenantId.Parse($"t{random.Next(4)}"), Use: (ProcessorUse)random.Next(2), Steps: random.Next(random.Next(40) == 0 ? 4000 : 40), Aside: random.Next(5) == 0)).ToList();
        var done = 0;
        await Task.WhenAll(work.Select(w => shares.RunAsync(
            w.Tenant,
            w.Use,
            () =>
            {
                for (var i = 0; i < w.Steps; i++)
                {
                    Thread.SpinWait(500);
                    ProcessorTurn.Checkpoint();
                    Assert.InRange(shares.Load.Running, 1, 4);
                    if (w.Aside && i % 10 == 0)
                    {
                        using (ProcessorTurn.Aside())
                        {
                            Thread.Yield();
                        }
                    }
                }

                return Interlocked.Increment(ref done);
            },
            default)));
        Assert.Equal(400, done);
        Assert.Equal((0, 0), shares.Load);
    }

    private static string? ThreadName() => Thread.CurrentThread.Name;

    private async Task UseAsync(ProcessorShares shares, TenantId tenant, long milliseconds)
    {
        using var turn = await shares.EnterAsync(tenant, ProcessorUse.Query, default);
        Pass(milliseconds);
    }

    private static async Task UntilAsync(Func<bool> holds)
    {
        while (!holds())
        {
            await Task.Yield();
        }
    }

    private void Pass(long milliseconds) => time.AdvanceTo(time.NowMs + milliseconds);

    /// <summary>Work on a thread of its own that passes a checkpoint when it is told to.</summary>
    private sealed class Piece
    {
        private readonly SemaphoreSlim toCheck = new(0);
        private readonly TaskCompletionSource passed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly SemaphoreSlim toEnd = new(0);
        private readonly Task running;

        public Piece(ProcessorTurn turn) => running = Task.Factory.StartNew(
            () => turn.Run(() =>
            {
                toCheck.Wait();
                ProcessorTurn.Checkpoint();
                passed.SetResult();
                toEnd.Wait();
                return true;
            }),
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);

        public bool HasPassed => passed.Task.IsCompleted;

        public void Check() => toCheck.Release();

        public Task PassedAsync() => passed.Task;

        public Task EndAsync()
        {
            toEnd.Release();
            return running;
        }
    }
}
