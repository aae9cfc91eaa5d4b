using System.Text;
using Xunit;

namespace Metrics.ObjectStore.Tests;

/// <summary>What every store does, whatever it is made of. Each test works below a prefix of its own.</summary>
public abstract class ObjectStoreContract
{
    private static readonly CancellationToken never = CancellationToken.None;
    private readonly string own = Guid.NewGuid().ToString("N");

    protected abstract IObjectStore Store { get; }

    /// <summary>Long enough to go up in several parts where there are such.</summary>
    protected virtual int BigBytes => 3_000_000;

    protected virtual int IncrementsPerWriter => 25;

    [Fact]
    public async Task WhatIsAbsentIsAnAnswer()
    {
        Assert.Null(await Store.FindAsync(Key("none"), never));
        Assert.Null(await Store.GetAsync(Key("none"), 10, never));
        await Store.DeleteAsync(Key("none"), never);
        await Store.DeleteAsync(Key("no/such/folder"), never);
        await Assert.ThrowsAsync<ObjectNotFoundException>(async () => await Store.ReadAsync(Key("none"), 0, new byte[1], never));
        await Assert.ThrowsAsync<ObjectNotFoundException>(async () => await Store.ReadAsync(Key("none"), 5, Memory<byte>.Empty, never));
        Assert.Empty(await ListAsync(""));
        Assert.Empty(await FoldersAsync(""));
    }

    [Fact]
    public async Task WhatIsPutIsFoundAndRead()
    {
        var before = DateTimeOffset.UtcNow.AddMinutes(-1);
        var version = await Store.PutAsync(Key("a/b"), "hello"u8.ToArray(), PutCondition.None, never);
        var stored = await Store.GetAsync(Key("a/b"), 5, never);
        Assert.Equal("hello", Encoding.UTF8.GetString(stored!.Content));
        Assert.Equal(version, stored.Version);
        var found = (await Store.FindAsync(Key("a/b"), never))!.Value;
        Assert.Equal((Key("a/b"), 5L), (found.Key, found.Length));
        Assert.InRange(found.ModifiedAt, before, before.AddMinutes(5));
    }

    [Fact]
    public async Task AnObjectLongerThanExpectedIsAnError()
    {
        await Store.PutAsync(Key("a"), new byte[100], PutCondition.None, never);
        var error = await Assert.ThrowsAsync<ObjectStoreException>(async () => await Store.GetAsync(Key("a"), 99, never));
        Assert.Contains("100 bytes", error.Message, StringComparison.Ordinal);
        Assert.Contains(Key("a"), error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 10, "0123456789")]
    [InlineData(0, 3, "012")]
    [InlineData(4, 3, "456")]
    [InlineData(8, 3, "89")]
    [InlineData(9, 1, "9")]
    [InlineData(10, 1, "")]
    [InlineData(1000, 1, "")]
    [InlineData(0, 100, "0123456789")]
    [InlineData(3, 0, "")]
    public async Task ARangeIsReadUpToTheEnd(long offset, int length, string want)
    {
        await Store.PutAsync(Key("a"), "0123456789"u8.ToArray(), PutCondition.None, never);
        var into = new byte[length];
        var read = await Store.ReadAsync(Key("a"), offset, into, never);
        Assert.Equal(want, Encoding.UTF8.GetString(into.AsSpan(0, read)));
    }

    [Fact]
    public async Task AnEmptyObjectIsAnObject()
    {
        await Store.PutAsync(Key("empty"), ReadOnlyMemory<byte>.Empty, PutCondition.Absent, never);
        Assert.Empty((await Store.GetAsync(Key("empty"), 0, never))!.Content);
        Assert.Equal(0, (await Store.FindAsync(Key("empty"), never))!.Value.Length);
        Assert.Equal(0, await Store.ReadAsync(Key("empty"), 0, new byte[4], never));
        Assert.Equal([(Key("empty"), 0L)], await ListAsync(""));
        using var file = new TemporaryFolder();
        await Store.UploadAsync(Key("empty2"), file.Write("e", []), never);
        Assert.Equal(0, (await Store.FindAsync(Key("empty2"), never))!.Value.Length);
    }

    [Fact]
    public async Task APutReplacesAndADeletionRemoves()
    {
        var first = await Store.PutAsync(Key("a"), "one, and longer"u8.ToArray(), PutCondition.None, never);
        var second = await Store.PutAsync(Key("a"), "two"u8.ToArray(), PutCondition.None, never);
        Assert.NotEqual(first, second);
        Assert.Equal("two", Encoding.UTF8.GetString((await Store.GetAsync(Key("a"), 100, never))!.Content));
        await Store.DeleteAsync(Key("a"), never);
        Assert.Null(await Store.FindAsync(Key("a"), never));
        Assert.Empty(await ListAsync(""));
    }

    [Fact]
    public async Task APutThatNeedsAbsenceHappensOnce()
    {
        await Store.PutAsync(Key("a"), "one"u8.ToArray(), PutCondition.Absent, never);
        await Assert.ThrowsAsync<ConditionFailedException>(async () => await Store.PutAsync(Key("a"), "two"u8.ToArray(), PutCondition.Absent, never));
        Assert.Equal("one", Encoding.UTF8.GetString((await Store.GetAsync(Key("a"), 100, never))!.Content));
        await Store.DeleteAsync(Key("a"), never);
        await Store.PutAsync(Key("a"), "three"u8.ToArray(), PutCondition.Absent, never);
    }

    [Fact]
    public async Task APutThatNeedsAVersionMeetsItOrFails()
    {
        var first = await Store.PutAsync(Key("a"), "one"u8.ToArray(), PutCondition.Absent, never);
        var second = await Store.PutAsync(Key("a"), "two"u8.ToArray(), PutCondition.Unchanged(first), never);
        await Assert.ThrowsAsync<ConditionFailedException>(
            async () => await Store.PutAsync(Key("a"), "three"u8.ToArray(), PutCondition.Unchanged(first), never));
        Assert.Equal(second, (await Store.GetAsync(Key("a"), 100, never))!.Version);
        await Store.DeleteAsync(Key("a"), never);
        await Assert.ThrowsAsync<ConditionFailedException>(
            async () => await Store.PutAsync(Key("a"), "four"u8.ToArray(), PutCondition.Unchanged(second), never));
        Assert.Null(await Store.FindAsync(Key("a"), never));
    }

    [Fact]
    public async Task OneOfManyPutsThatNeedAbsenceWins()
    {
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 16).Select(writer => Task.Run(async () =>
        {
            try
            {
                await Store.PutAsync(Key("once"), Encoding.UTF8.GetBytes($"{writer}"), PutCondition.Absent, never);
                return writer;
            }
            catch (ConditionFailedException)
            {
                return -1;
            }
        })));
        var winner = Assert.Single(outcomes, o => o >= 0);
        Assert.Equal($"{winner}", Encoding.UTF8.GetString((await Store.GetAsync(Key("once"), 100, never))!.Content));
    }

    [Fact]
    public async Task SixteenWritersLoseNoIncrementByCompareAndSwap()
    {
        await Store.PutAsync(Key("ledger"), ReadOnlyMemory<byte>.Empty, PutCondition.Absent, never);
        await Ledger.CheckAsync([.. Enumerable.Repeat(Store, 16)], Key("ledger"), IncrementsPerWriter);
    }

    [Fact]
    public async Task AFileIsUploadedAndReplacedWhole()
    {
        using var folder = new TemporaryFolder();
        var big = Bytes(BigBytes, seed: 1);
        await Store.UploadAsync(Key("f"), folder.Write("big", big), never);
        Assert.Equal(big.Length, (await Store.FindAsync(Key("f"), never))!.Value.Length);
        var into = new byte[big.Length + 10];
        Assert.Equal(big.Length, await Store.ReadAsync(Key("f"), 0, into, never));
        Assert.True(into.AsSpan(0, big.Length).SequenceEqual(big));
        Assert.Equal(1000, await Store.ReadAsync(Key("f"), big.Length - 1000, into, never));
        Assert.True(into.AsSpan(0, 1000).SequenceEqual(big.AsSpan(big.Length - 1000)));

        var small = Bytes(1000, seed: 2);
        await Store.UploadAsync(Key("f"), folder.Write("small", small), never);
        Assert.Equal(small, (await Store.GetAsync(Key("f"), 1000, never))!.Content);
    }

    [Fact]
    public async Task AFileThatIsNotThereIsNotUploaded()
    {
        using var folder = new TemporaryFolder();
        var error = await Assert.ThrowsAsync<ObjectStoreException>(async () => await Store.UploadAsync(Key("f"), folder.Sub("none"), never));
        Assert.Contains(folder.Sub("none"), error.Message, StringComparison.Ordinal);
        Assert.Null(await Store.FindAsync(Key("f"), never));
    }

    [Fact]
    public async Task ListingsGoToAnyDepthAndFoldersToOne()
    {
        string[] keys = ["a", "b/c", "b/d/e", "b/d/f", "bb/g", "h/i/j/k"];
        foreach (var key in keys)
        {
            await Store.PutAsync(Key(key), Encoding.UTF8.GetBytes(key), PutCondition.None, never);
        }

        Assert.Equal(keys.Select(k => (Key(k), (long)k.Length)), await ListAsync(""));
        Assert.Equal(["b/c", "b/d/e", "b/d/f"], (await ListAsync("b/")).Select(o => o.Key[(own.Length + 1)..]));
        Assert.Equal(["b/d/e", "b/d/f"], (await ListAsync("b/d/")).Select(o => o.Key[(own.Length + 1)..]));
        Assert.Empty(await ListAsync("none/"));
        Assert.Equal(["b", "bb", "h"], await FoldersAsync(""));
        Assert.Equal(["d"], await FoldersAsync("b/"));
        Assert.Empty(await FoldersAsync("bb/"));
        await Store.DeleteAsync(Key("h/i/j/k"), never);
        Assert.Equal(["b", "bb"], await FoldersAsync(""));
    }

    [Theory]
    [InlineData("with space")]
    [InlineData("plus+and&amp=?#")]
    [InlineData("%41%2f%")]
    [InlineData("umlaut-ä/kanji-漢字/emoji-🎯")]
    [InlineData("quote'\"<>;:@,$!*()[]{}|^`~")]
    [InlineData(".hidden/..dots/...")]
    [InlineData(" leading and trailing ")]
    public async Task OddCharactersInAKeyAreKept(string key)
    {
        await Store.PutAsync(Key(key), Encoding.UTF8.GetBytes(key), PutCondition.Absent, never);
        Assert.Equal(key, Encoding.UTF8.GetString((await Store.GetAsync(Key(key), 1000, never))!.Content));
        Assert.NotNull(await Store.FindAsync(Key(key), never));
        Assert.Equal(1, await Store.ReadAsync(Key(key), 0, new byte[1], never));
        Assert.Equal([Key(key)], (await ListAsync("")).Select(o => o.Key));
        using var folder = new TemporaryFolder();
        await Store.UploadAsync(Key(key), folder.Write("f", [1, 2]), never);
        Assert.Equal([1, 2], (await Store.GetAsync(Key(key), 1000, never))!.Content);
        await Store.DeleteAsync(Key(key), never);
        Assert.Empty(await ListAsync(""));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a/../b")]
    [InlineData("a/./b")]
    [InlineData("a\\..\\b")]
    [InlineData("a\0b")]
    [InlineData("a\nb")]
    public async Task WhatIsNoKeyIsRefused(string key)
    {
        await Assert.ThrowsAsync<ArgumentException>(async () => await Store.FindAsync(key, never));
        await Assert.ThrowsAsync<ArgumentException>(async () => await Store.GetAsync(key, 1, never));
        await Assert.ThrowsAsync<ArgumentException>(async () => await Store.ReadAsync(key, 0, new byte[1], never));
        await Assert.ThrowsAsync<ArgumentException>(async () => await Store.PutAsync(key, new byte[1], PutCondition.None, never));
        await Assert.ThrowsAsync<ArgumentException>(async () => await Store.UploadAsync(key, "/etc/hostname", never));
        await Assert.ThrowsAsync<ArgumentException>(async () => await Store.DeleteAsync(key, never));
    }

    [Theory]
    [InlineData("a")]
    [InlineData("/")]
    [InlineData("../")]
    public async Task WhatIsNoPrefixIsRefused(string prefix)
    {
        await Assert.ThrowsAsync<ArgumentException>(async () => await Store.ListAsync(prefix, never).ToListAsync());
        await Assert.ThrowsAsync<ArgumentException>(async () => await Store.ListFoldersAsync(prefix, never).ToListAsync());
    }

    [Fact]
    public async Task ACancelledCallSaysSo()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await Store.GetAsync(Key("a"), 1, cancelled.Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await Store.PutAsync(Key("a"), new byte[1], PutCondition.None, cancelled.Token));
        Assert.Null(await Store.FindAsync(Key("a"), never));
    }

    internal static byte[] Bytes(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private string Key(string key) => key is { Length: > 0 } ? $"{own}/{key}" : own;

    private async Task<List<(string Key, long Length)>> ListAsync(string prefix) =>
        [.. (await Store.ListAsync($"{own}/{prefix}", never).ToListAsync()).Select(o => (o.Key, o.Length)).OrderBy(o => o.Key, StringComparer.Ordinal)];

    private async Task<List<string>> FoldersAsync(string prefix) =>
        [.. (await Store.ListFoldersAsync($"{own}/{prefix}", never).ToListAsync()).Order(StringComparer.Ordinal)];
}
