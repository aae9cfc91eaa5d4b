using Metrics.Model;
using Metrics.Testing;

namespace Metrics.Cluster.Tests;

/// <summary>A tenant's limit on series over several processes.</summary>
public sealed class SeriesLedgerTests
{
    private readonly FakeTime time = new(1_000_000);

    [Theory]
    [InlineData(90, 10, 0)]
    [InlineData(0, 0, 100)]
    [InlineData(34, 33, 33)]
    [InlineData(100, 0, 0)]
    public async Task EveryPlaceIsGivenWhereverSeriesComeAndNotOneMore(int first, int second, int third)
    {
        var world = new World(time, 3, 100);
        Assert.Equal(first, await world.MakeAsync(0, first));
        Assert.Equal(second, await world.MakeAsync(1, second));
        Assert.Equal(third, await world.MakeAsync(2, third));
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(0, await world.MakeAsync(i, 5));
        }

        Assert.Equal(100, world.Total);
    }

    [Fact]
    public async Task ABatchLargerThanWhatIsLeftGetsWhatIsLeft()
    {
        var world = new World(time, 3, 100);
        await world.MakeAsync(0, 30);
        await world.MakeAsync(1, 30);
        Assert.Equal(40, await world.MakeAsync(2, 1000));
        Assert.Equal(100, world.Total);
    }

    [Fact]
    public async Task FewQuestionsAreAskedWhileThereIsRoom()
    {
        var world = new World(time, 3, 1_000_000);
        for (var i = 0; i < 3000; i++)
        {
            Assert.Equal(10, await world.MakeAsync(i % 3, 10));
        }

        Assert.InRange(world.Questions, 3, 10);
    }

    [Fact]
    public async Task PlacesThatAreFreeAgainAreThereForAllWithinASecond()
    {
        var world = new World(time, 2, 100);
        await world.MakeAsync(0, 100);
        Assert.Equal(0, await world.MakeAsync(1, 1));
        world.Processes[0].Change(-20);
        Assert.Equal(5, await world.MakeAsync(0, 5));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(15, await world.MakeAsync(1, 100));
        Assert.Equal(100, world.Total);
    }

    [Fact]
    public async Task AnotherLimitHoldsAtOnce()
    {
        var world = new World(time, 2, 100);
        await world.MakeAsync(0, 50);
        await world.MakeAsync(1, 10);
        world.Limit = 60;
        Assert.Equal((0, 0), (await world.MakeAsync(0, 1), await world.MakeAsync(1, 1)));
        world.Limit = 62;
        Assert.Equal((1, 1, 0), (await world.MakeAsync(1, 1), await world.MakeAsync(0, 1), await world.MakeAsync(0, 1)));
        world.Limit = 0;
        Assert.Equal(1000, await world.MakeAsync(0, 1000));
        world.Limit = 1072;
        Assert.Equal(10, await world.MakeAsync(1, 20));
    }

    [Fact]
    public async Task SeriesMoveWithTheirShardAndLeaveNoPlaceBehind()
    {
        var world = new World(time, 2, 100);
        await world.MakeAsync(0, 80);
        world.Processes[0].Carry(-70);
        world.Processes[1].Carry(70);
        Assert.Equal(20, await world.MakeAsync(0, 30));
        Assert.Equal(0, await world.MakeAsync(1, 30));
        Assert.Equal(100, world.Total);
    }

    [Fact]
    public async Task ALedgerThatWasJustMadeKnowsWhatOthersHave()
    {
        var world = new World(time, 3, 100);
        await world.MakeAsync(0, 60);
        await world.MakeAsync(1, 30);
        world.MoveLedger();
        Assert.Equal(10, await world.MakeAsync(2, 60));
        Assert.Equal((0, 0), (await world.MakeAsync(0, 1), await world.MakeAsync(1, 1)));
    }

    [Fact]
    public async Task SeriesOfAProcessThatIsGoneAreCountedUntilTheyAreOpenElsewhere()
    {
        var world = new World(time, 3, 100);
        await world.MakeAsync(0, 80);
        world.Lose(0);
        Assert.Equal(20, await world.MakeAsync(1, 100));
        time.Advance(SeriesLedger.GoneKept / 2);
        world.Processes[2].Carry(80);
        Assert.Equal(0, await world.MakeAsync(1, 1));
        time.Advance(SeriesLedger.GoneKept);
        Assert.Equal(0, await world.MakeAsync(1, 1));
        world.Processes[2].Change(-80);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(80, await world.MakeAsync(1, 100));
    }

    [Fact]
    public async Task WhileTheLedgerIsAwayAProcessGoesByWhatItLastHeard()
    {
        var world = new World(time, 2, 100);
        await world.MakeAsync(0, 40);
        await world.MakeAsync(1, 10);
        world.IsAway = true;
        Assert.Equal(50, await world.MakeAsync(1, 100));
        world.IsAway = false;
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(0, await world.MakeAsync(1, 1));
        Assert.Equal(0, await world.MakeAsync(0, 1));
    }

    [Fact]
    public async Task HoweverManyMakeSeriesAtOnceTheLimitIsReachedAndNotPassed()
    {
        for (var seed = 1; seed <= 20; seed++)
        {
            var world = new World(time, 4, 1000);
            var made = await Task.WhenAll(Enumerable.Range(0, 16).Select(w => Task.Run(async () =>
            {
                var random = new Random((seed * 100) + w);
                var sum = 0;
                for (var i = 0; i < 40; i++)
                {
                    sum += await world.MakeAsync(random.Next(4), random.Next(1, 10));
                }

                return sum;
            })));
            Assert.True(made.Sum() == 1000 && world.Total == 1000, $"seed {seed}: {made.Sum()} made, {world.Total} counted");
        }
    }

    /// <summary>Some processes, and the ledger.</summary>
    private sealed class World : ISeriesLedger, ISeriesHolders
    {
        private readonly SemaphoreSlim turn = new(1);
        private readonly TimeProvider time;
        private readonly HashSet<int> gone = [];
        private SeriesLedger ledger;
        private int questions;

        public World(TimeProvider time, int processes, long limit)
        {
            this.time = time;
            Limit = limit;
            ledger = new SeriesLedger(this, time);
            Processes = [.. Enumerable.Range(0, processes).Select(i => new SeriesPlaces(TenantId.Parse($"p{i}"), this, time))];
        }

        public SeriesPlaces[] Processes { get; }

        public long Limit { get; set; }

        public bool IsAway { get; set; }

        public int Questions => Volatile.Read(ref questions);

        public long Total => Processes.Where((_, i) => !gone.Contains(i)).Sum(static p => p.Used);

        public IReadOnlyCollection<string> Names => [.. Enumerable.Range(0, Processes.Length).Where(i => !gone.Contains(i)).Select(static i => $"p{i}")];

        public void MoveLedger() => ledger = new SeriesLedger(this, time);

        public void Lose(int process) => gone.Add(process);

        /// <summary>Makes series as a batch of so many does; gives how many were made.</summary>
        public async Task<int> MakeAsync(int process, int series)
        {
            var places = Processes[process];
            await places.ReserveAsync(series, Limit);
            var made = 0;
            for (var i = 0; i < series; i++)
            {
                made += places.TryTake(Limit) ? 1 : 0;
            }

            await Task.Yield(); // Until it is durable.

            places.Release(series - made);
            return made;
        }

        // The tenant's name stands for the process here.
        public async ValueTask<SeriesGrant> AskAsync(TenantId tenant, SeriesWish wish, CancellationToken cancellation)
        {
            if (IsAway)
            {
                throw new IOException("away");
            }

            await turn.WaitAsync(cancellation);
            try
            {
                Interlocked.Increment(ref questions);
                return await ledger.AskAsync(tenant.Value, wish);
            }
            finally
            {
                turn.Release();
            }
        }

        public async ValueTask<SeriesHolding> ReclaimAsync(string name, long since)
        {
            await Task.Yield();
            return Processes[int.Parse(name[1..])].Reclaim(since);
        }
    }
}
