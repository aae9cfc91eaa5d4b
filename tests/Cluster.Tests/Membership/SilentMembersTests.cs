using Metrics.ObjectStore;
using Metrics.Testing;

namespace Metrics.Cluster.Tests.Membership;

/// <summary>Members of whom none is left are declared dead; one that lives saves all.</summary>
public sealed class SilentMembersTests : IAsyncDisposable
{
    private const long SilenceMs = 50_000;
    private const long LookMs = SilenceMs / 5;

    private readonly FakeTime time = new(1_000_000_000_000);
    private readonly MemoryObjectStore store = new(TimeProvider.System);
    private readonly CancellationTokenSource done = new();
    private readonly List<string> reports = [];

    private MembershipTable Table => new(store, "main");

    [Fact]
    public async Task AllAreDeclaredDeadWhenNoneBeats()
    {
        await InsertAsync("a", MemberStatus.Active);
        await InsertAsync("b", MemberStatus.Active);
        await InsertAsync("c", MemberStatus.Joining);
        var watching = WatchAsync();

        await PassAsync(4);
        Assert.Equal(["a Active", "b Active", "c Joining"], await StatusesAsync());
        await PassAsync(1);
        Assert.Equal(["a Dead", "b Dead", "c Joining"], await StatusesAsync());
        Assert.Single(reports);
        await EndAsync(watching);
    }

    [Fact]
    public async Task OneThatBeatsSavesAll()
    {
        await InsertAsync("a", MemberStatus.Active);
        await InsertAsync("b", MemberStatus.Active);
        var watching = WatchAsync();
        for (var beat = 0; beat < 6; beat++)
        {
            await PassAsync(3);
            await Table.BeatAsync("b", time.GetUtcNow(), default);
        }

        Assert.Equal(["a Active", "b Active"], await StatusesAsync());
        await EndAsync(watching);
    }

    [Fact]
    public async Task OneThatComesMeanwhileMakesItWait()
    {
        await InsertAsync("a", MemberStatus.Active);
        var watching = WatchAsync();
        await PassAsync(3);
        await InsertAsync("b", MemberStatus.Active);
        await PassAsync(4);
        Assert.Equal(["a Active", "b Active"], await StatusesAsync());
        await PassAsync(3);
        Assert.Equal(["a Dead", "b Dead"], await StatusesAsync());
        await EndAsync(watching);
    }

    public async ValueTask DisposeAsync()
    {
        await store.DisposeAsync();
        done.Dispose();
    }

    private Task WatchAsync() => new SilentMembers(Table, TimeSpan.FromMilliseconds(SilenceMs), time).WatchAsync(reports.Add, done.Token);

    /// <summary>Lets so many looks happen.</summary>
    private async Task PassAsync(int looks)
    {
        for (var look = 0; look < looks; look++)
        {
            await time.UntilTimersAsync(1);
            time.AdvanceTo(time.NowMs + LookMs);
            await time.UntilTimersAsync(1);
        }
    }

    private async Task EndAsync(Task watching)
    {
        await done.CancelAsync();
        await watching;
    }

    private async Task InsertAsync(string address, MemberStatus status)
    {
        await Table.CreateAsync(default);
        var seen = await Table.ReadAsync(default);
        Assert.True(await Table.TryInsertAsync(new Member { Address = address, Status = status, StartedAt = time.GetUtcNow(), AliveAt = time.GetUtcNow() }, seen.Version + 1, seen.Etag, default));
    }

    private async Task<string[]> StatusesAsync() => [.. (await Table.ReadAsync(default)).Rows.Select(static r => $"{r.Member.Address} {r.Member.Status}")];
}
