using System.Text;
using Metrics.ObjectStore;

namespace Metrics.Cluster.Tests.Membership;

public sealed class MembershipTableTests
{
    private static readonly DateTimeOffset start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly DoubtfulStore store = new(TimeProvider.System);

    private MembershipTable Table => new(store, "main");

    [Fact]
    public async Task ATableThatIsNotThereIsEmptyAndHasVersionZero()
    {
        var seen = await Table.ReadAsync(default);

        Assert.Equal(0, seen.Version);
        Assert.Empty(seen.Rows);
    }

    [Fact]
    public async Task MakingATableTwiceLeavesItAsItIs()
    {
        await Table.CreateAsync(default);
        Assert.True(await InsertAsync(Silo(1)));

        await Table.CreateAsync(default);

        Assert.Single((await Table.ReadAsync(default)).Rows);
    }

    [Fact]
    public async Task AnInsertedRowComesBackAsItWasWithTheNewVersion()
    {
        var silo = Silo(1) with
        {
            Name = "node=a;zone=b;http=c",
            Status = MemberStatus.Joining,
            HostName = "host \"1\"",
            ClientPort = 30000,
            Role = "silo",
            UpdateZone = 3,
            FaultZone = 4,
            Suspicions = [new Suspicion("127.0.0.1:2@2", start + TimeSpan.FromSeconds(1.5))],
            StartedAt = start,
            AliveAt = start + TimeSpan.FromMilliseconds(1),
        };

        Assert.True(await InsertAsync(silo));

        var seen = await Table.ReadAsync(default);
        Assert.Equal(1, seen.Version);
        Assert.Equal(silo, Assert.Single(seen.Rows).Member);
    }

    [Fact]
    public async Task InsertingASiloTwiceIsRefusedAndChangesNothing()
    {
        Assert.True(await InsertAsync(Silo(1)));
        var before = await Table.ReadAsync(default);

        Assert.False(await InsertAsync(Silo(1) with { Name = "another" }));

        Assert.Equivalent(before, await Table.ReadAsync(default), strict: true);
    }

    [Fact]
    public async Task AChangeOfATableThatWasChangedSinceIsRefused()
    {
        Assert.True(await InsertAsync(Silo(1)));
        var seen = await Table.ReadAsync(default);
        Assert.True(await InsertAsync(Silo(2)));

        Assert.False(await Table.TryInsertAsync(Silo(3), seen.Version + 1, seen.Etag, default));
        Assert.False(await Table.TryUpdateAsync(Silo(1) with { Status = MemberStatus.Dead }, seen.Rows[0].Etag, seen.Version + 1, seen.Etag, default));

        var after = await Table.ReadAsync(default);
        Assert.Equal(2, after.Version);
        Assert.Equal([Silo(1), Silo(2)], after.Rows.Select(r => r.Member));
    }

    [Fact]
    public async Task AnUpdateReplacesTheWholeRowAndGivesItAnotherEtag()
    {
        Assert.True(await InsertAsync(Silo(1) with { Suspicions = [new Suspicion("x", start)] }));
        Assert.True(await InsertAsync(Silo(2)));
        var before = await Table.ReadAsync(default);

        Assert.True(await Table.TryUpdateAsync(Silo(1) with { Status = MemberStatus.Active }, before.Rows[0].Etag, before.Version + 1, before.Etag, default));

        var after = await Table.ReadAsync(default);
        Assert.Equal(3, after.Version);
        Assert.Equal(Silo(1) with { Status = MemberStatus.Active }, after.Rows[0].Member);
        Assert.NotEqual(before.Rows[0].Etag, after.Rows[0].Etag);
        Assert.Equal(before.Rows[1].Etag, after.Rows[1].Etag);
        Assert.NotEqual(before.Etag, after.Etag);
    }

    [Fact]
    public async Task AnUpdateOfARowThatIsNotThereOrHasAnotherEtagIsRefused()
    {
        Assert.True(await InsertAsync(Silo(1)));
        var seen = await Table.ReadAsync(default);

        Assert.False(await Table.TryUpdateAsync(Silo(2), "", seen.Version + 1, seen.Etag, default));
        Assert.False(await Table.TryUpdateAsync(Silo(1), "another", seen.Version + 1, seen.Etag, default));
        Assert.False(await Table.TryUpdateAsync(Silo(1), seen.Rows[0].Etag, seen.Version, seen.Etag, default)); // The version must rise.

        Assert.Equal(1, (await Table.ReadAsync(default)).Version);
    }

    [Fact]
    public async Task AHeartbeatChangesNeitherVersionNorEtagsAndIsReadWithTheRow()
    {
        Assert.True(await InsertAsync(Silo(1)));
        var before = await Table.ReadAsync(default);

        await Table.BeatAsync(Silo(1).Address, start + TimeSpan.FromMinutes(7), default);

        var after = await Table.ReadAsync(default);
        Assert.Equal((before.Version, before.Etag, before.Rows[0].Etag), (after.Version, after.Etag, after.Rows[0].Etag));
        Assert.Equal(start + TimeSpan.FromMinutes(7), after.Rows[0].Member.AliveAt);
        Assert.Equal(start + TimeSpan.FromMinutes(7), (await Table.ReadAsync(Silo(1).Address, default)).Rows[0].Member.AliveAt);
    }

    [Fact]
    public async Task AnEarlierHeartbeatDoesNotTakeBackALaterTimeInTheRow()
    {
        Assert.True(await InsertAsync(Silo(1) with { AliveAt = start + TimeSpan.FromHours(1) }));

        await Table.BeatAsync(Silo(1).Address, start, default);

        Assert.Equal(start + TimeSpan.FromHours(1), (await Table.ReadAsync(default)).Rows[0].Member.AliveAt);
    }

    [Fact]
    public async Task ReadingOneRowGivesThatRowAndTheTablesVersion()
    {
        Assert.True(await InsertAsync(Silo(1)));
        Assert.True(await InsertAsync(Silo(2)));

        var one = await Table.ReadAsync(Silo(2).Address, default);
        var none = await Table.ReadAsync(Silo(3).Address, default);

        Assert.Equal((2, Silo(2)), (one.Version, Assert.Single(one.Rows).Member));
        Assert.Equal(2, none.Version);
        Assert.Empty(none.Rows);
    }

    [Fact]
    public async Task OnlySilosThatAreNotActiveAndLongSilentAreRemoved()
    {
        var old = start - TimeSpan.FromDays(8);
        Assert.True(await InsertAsync(Silo(1) with { Status = MemberStatus.Active, StartedAt = old, AliveAt = old }));
        Assert.True(await InsertAsync(Silo(2) with { Status = MemberStatus.Dead, StartedAt = old, AliveAt = old }));
        Assert.True(await InsertAsync(Silo(3) with { Status = MemberStatus.Dead, StartedAt = old, AliveAt = start }));
        Assert.True(await InsertAsync(Silo(4) with { Status = MemberStatus.Dead, StartedAt = old, AliveAt = old, Suspicions = [new Suspicion("x", start)] }));
        Assert.True(await InsertAsync(Silo(5) with { Status = MemberStatus.Joining, StartedAt = old, AliveAt = old }));
        Assert.True(await InsertAsync(Silo(6) with { Status = MemberStatus.Dead, StartedAt = old, AliveAt = old }));
        await Table.BeatAsync(Silo(6).Address, start, default);

        await Table.RemoveDefunctAsync(start - TimeSpan.FromDays(1), default);

        var after = await Table.ReadAsync(default);
        Assert.Equal([Silo(1).Address, Silo(3).Address, Silo(4).Address, Silo(6).Address], after.Rows.Select(r => r.Member.Address));
        Assert.Equal(7, after.Version);

        await Table.RemoveDefunctAsync(start - TimeSpan.FromDays(1), default);
        Assert.Equal(7, (await Table.ReadAsync(default)).Version);
    }

    [Fact]
    public async Task HeartbeatsOfRemovedSilosGoToo()
    {
        await Table.BeatAsync(Silo(1).Address, start, default);
        Assert.True(await InsertAsync(Silo(2)));
        await Table.BeatAsync(Silo(2).Address, start, default);

        await Table.RemoveDefunctAsync(DateTimeOffset.MinValue, default);
        Assert.Equal(2, await HeartbeatsAsync());

        await Table.RemoveDefunctAsync(TimeProvider.System.GetUtcNow() + TimeSpan.FromHours(1), default);
        Assert.Empty((await Table.ReadAsync(default)).Rows);
        Assert.Equal(0, await HeartbeatsAsync());
    }

    [Fact]
    public async Task ADeletedTableIsGoneWithItsHeartbeatsAndOthersInTheBucketStay()
    {
        var other = new MembershipTable(store, "other");
        var empty = await other.ReadAsync(default);
        Assert.True(await other.TryInsertAsync(Silo(1), 1, empty.Etag, default));
        Assert.True(await InsertAsync(Silo(1)));
        await Table.BeatAsync(Silo(1).Address, start, default);

        await Table.DeleteAsync(default);

        Assert.Empty((await Table.ReadAsync(default)).Rows);
        Assert.Equal(0, await HeartbeatsAsync());
        Assert.Single((await other.ReadAsync(default)).Rows);
    }

    [Theory]
    [InlineData(Doubt.AnswerLost)]
    [InlineData(Doubt.MeetsItself)]
    public async Task AChangeThatTookPlaceIsKnownThoughItsAnswerWasLost(Doubt doubt)
    {
        var doubts = new Queue<Doubt>([doubt]);
        store.Next = () => doubts.TryDequeue(out var next) ? next : Doubt.None;

        Assert.True(await InsertAsync(Silo(1)));
        Assert.Single((await Table.ReadAsync(default)).Rows);
    }

    [Theory]
    [InlineData(Doubt.Lost)]
    [InlineData(Doubt.Late)]
    public async Task AChangeThatMayStillComeIsAnErrorAndNotARefusal(Doubt doubt)
    {
        store.Next = () => doubt;

        await Assert.ThrowsAsync<ObjectStoreException>(() => InsertAsync(Silo(1)));
    }

    [Fact]
    public async Task APutThatComesLateDoesNothingOnceTheTableHasMoved()
    {
        store.Next = static () => Doubt.Late;
        await Assert.ThrowsAsync<ObjectStoreException>(() => InsertAsync(Silo(1)));
        store.Next = static () => Doubt.None;
        Assert.True(await InsertAsync(Silo(2)));

        await store.ArriveAsync();

        Assert.Equal([Silo(2).Address], (await Table.ReadAsync(default)).Rows.Select(r => r.Member.Address));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}x")]
    [InlineData("""{"format":2}""")]
    [InlineData("""{"rows":7}""")]
    public async Task WhatIsNoTableIsAnErrorThatNamesTheObject(string content)
    {
        await store.PutAsync("__cluster/main/members.json", Encoding.UTF8.GetBytes(content), PutCondition.None, default);

        var error = await Assert.ThrowsAsync<InvalidDataException>(async () => await Table.ReadAsync(default));
        Assert.Contains("__cluster/main/members.json", error.Message, StringComparison.Ordinal);
    }

    /// <summary>Many silos change one table at once over a store that loses puts, answers and order: each change that was said to have taken place did, each that was refused did not, and no two got one version.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public async Task UnderContentionAndDoubtEveryAnswerIsTrue(int seed)
    {
        var random = new Random(seed);
        var gate = new Lock();
        store.Next = () =>
        {
            lock (gate)
            {
                return random.Next(10) switch { 0 => Doubt.Lost, 1 => Doubt.AnswerLost, 2 => Doubt.Late, 3 => Doubt.MeetsItself, _ => Doubt.None };
            }
        };

        var versions = new List<int>();
        var counts = await Task.WhenAll(Enumerable.Range(1, 8).Select(n => Task.Run(() => CountUpAsync(n))));
        store.Next = static () => Doubt.None;
        await store.ArriveAsync();

        var after = await Table.ReadAsync(default);
        Assert.Equal(8, after.Rows.Count);
        Assert.Equal(versions.Count, versions.Distinct().Count());
        Assert.All(Enumerable.Range(1, 8), n => Assert.InRange(after.Find(Silo(n).Address)!.Member.ClientPort, counts[n - 1].Known, counts[n - 1].Known + counts[n - 1].Open));

        // A silo's port counts its changes: one that is known raises it by one, one in doubt may.
        async Task<(int Known, int Open)> CountUpAsync(int n)
        {
            var (known, open) = (0, 0);
            for (var i = 0; known < 5; i++)
            {
                Assert.True(i < 100_000, "a silo that never gets through");
                var seen = await Table.ReadAsync(default);
                var row = seen.Find(Silo(n).Address);
                try
                {
                    var done = row is null
                        ? await Table.TryInsertAsync(Silo(n) with { ClientPort = 1 }, seen.Version + 1, seen.Etag, default)
                        : await Table.TryUpdateAsync(row.Member with { ClientPort = row.Member.ClientPort + 1 }, row.Etag, seen.Version + 1, seen.Etag, default);
                    if (done)
                    {
                        known++;
                        lock (gate)
                        {
                            versions.Add(seen.Version + 1);
                        }
                    }
                }
                catch (ObjectStoreException)
                {
                    open++;
                    await store.ArriveAsync();
                }
            }

            return (known, open);
        }
    }

    private static Member Silo(int n) => new() { Address = $"127.0.0.1:1111{n}@{n}", StartedAt = start, AliveAt = start };

    private async Task<bool> InsertAsync(Member member)
    {
        var seen = await Table.ReadAsync(default);
        return await Table.TryInsertAsync(member, seen.Version + 1, seen.Etag, default);
    }

    private async Task<int> HeartbeatsAsync()
    {
        var count = 0;
        await foreach (var _ in store.ListAsync("__cluster/main/alive/", default))
        {
            count++;
        }

        return count;
    }
}
