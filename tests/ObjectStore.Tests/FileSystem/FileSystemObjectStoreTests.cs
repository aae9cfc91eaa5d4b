using System.Diagnostics;
using Xunit;

namespace Metrics.ObjectStore.Tests;

/// <summary>What is special to a folder.</summary>
public sealed class FileSystemObjectStoreTests : IDisposable
{
    private static readonly CancellationToken never = CancellationToken.None;
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task WritersInManyProcessesLoseNothing()
    {
        var root = folder.Sub("store");
        var store = FileSystemObjectStore.Open(root, TimeProvider.System);
        await store.PutAsync("ledger", ReadOnlyMemory<byte>.Empty, PutCondition.Absent, never);
        var processes = Enumerable.Range(0, 4).Select(writer => StartWriter(root, writer)).ToList();
        foreach (var process in processes)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
            await process.WaitForExitAsync(limit.Token);
            Assert.Equal(0, process.ExitCode);
            process.Dispose();
        }

        await Ledger.VerifyAsync(store, "ledger", writers: 4, linesEach: 50);
    }

    [Fact]
    public async Task StoreObjectsOfOneFolderExcludeEachOther()
    {
        var stores = Enumerable.Range(0, 8).Select(_ => (IObjectStore)FileSystemObjectStore.Open(folder.Path, TimeProvider.System)).ToList();
        await stores[0].PutAsync("ledger", ReadOnlyMemory<byte>.Empty, PutCondition.Absent, never);
        await Ledger.CheckAsync(stores, "ledger", linesEach: 20);
    }

    [Fact]
    public async Task TheStoresOwnFilesAreNoObjects()
    {
        var store = FileSystemObjectStore.Open(folder.Path, TimeProvider.System);
        await store.PutAsync("a", new byte[1], PutCondition.None, never);
        Assert.True(Directory.Exists(folder.Sub(".store")));
        Assert.Equal(["a"], await store.ListAsync("", never).Select(o => o.Key).ToListAsync());
        Assert.Empty(await store.ListFoldersAsync("", never).ToListAsync());
        Assert.Empty(await store.ListAsync(".store/", never).ToListAsync());
        await Assert.ThrowsAsync<ArgumentException>(async () => await store.FindAsync(".store/locks/00.lock", never));
        await Assert.ThrowsAsync<ArgumentException>(async () => await store.PutAsync(".store", new byte[1], PutCondition.None, never));
    }

    [Fact]
    public async Task LeftoversGoAwayAfterAGraceAndNothingElseDoes()
    {
        var temporaries = Directory.CreateDirectory(folder.Sub(".store/tmp")).FullName;
        var old = Path.Combine(temporaries, "old.tmp");
        var young = Path.Combine(temporaries, "young.tmp");
        foreach (var (path, age) in new[] { (old, 61), (young, 59) })
        {
            await File.WriteAllTextAsync(path, "half an obj");
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddMinutes(-age));
        }

        var lookalike = folder.Write("object.tmp", [1]);
        File.SetLastWriteTimeUtc(lookalike, DateTime.UtcNow.AddDays(-1));
        var store = FileSystemObjectStore.Open(folder.Path, TimeProvider.System);
        Assert.False(File.Exists(old));
        Assert.True(File.Exists(young));
        Assert.NotNull(await store.FindAsync("object.tmp", never));
    }

    [Fact]
    public async Task AFailedPutLeavesNoTemporaryFile()
    {
        var store = FileSystemObjectStore.Open(folder.Path, TimeProvider.System);
        await store.PutAsync("a", new byte[1], PutCondition.None, never);
        await Assert.ThrowsAsync<ConditionFailedException>(async () => await store.PutAsync("a", new byte[1], PutCondition.Absent, never));
        await Assert.ThrowsAsync<ObjectStoreException>(async () => await store.PutAsync("a/below/an/object", new byte[1], PutCondition.None, never));
        Assert.Empty(Directory.GetFiles(folder.Sub(".store/tmp")));
    }

    [Fact]
    public async Task AnUploadFromTheSameFileSystemTakesNoRoomAndMayBeRepeated()
    {
        var store = FileSystemObjectStore.Open(folder.Sub("store"), TimeProvider.System);
        var path = folder.Write("block", [1, 2, 3]);
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddDays(-2));
        await store.UploadAsync("a/block", path, never);
        await store.UploadAsync("a/block", path, never);
        Assert.Empty(Directory.GetFiles(folder.Sub("store/.store/tmp")));

        // Stored now, whatever the age of the source: a sweep with a grace time must not take it for a leftover.
        Assert.InRange((await store.FindAsync("a/block", never))!.Value.ModifiedAt, DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddMinutes(5));
        File.Delete(path);
        Assert.Equal([1, 2, 3], await File.ReadAllBytesAsync(store.LocalPath("a/block")!));
    }

    [Fact]
    public async Task AnEmptiedFolderGoesAwayAndAFullOneStays()
    {
        var store = FileSystemObjectStore.Open(folder.Path, TimeProvider.System);
        await store.PutAsync("t/a/x", new byte[1], PutCondition.None, never);
        await store.PutAsync("t/b", new byte[1], PutCondition.None, never);
        await store.DeleteAsync("t/a/x", never);
        Assert.False(Directory.Exists(folder.Sub("t/a")));
        Assert.True(File.Exists(folder.Sub("t/b")));
        await store.DeleteAsync("t/b", never);
        Assert.False(Directory.Exists(folder.Sub("t")));
        Assert.True(Directory.Exists(folder.Path));
    }

    [Fact]
    public async Task PutsAndDeletionsInOneFolderDoNotDisturbEachOther()
    {
        var store = FileSystemObjectStore.Open(folder.Path, TimeProvider.System);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(async () =>
        {
            for (var i = 0; i < 50; i++)
            {
                await store.PutAsync($"one/folder/{worker}", new byte[1], PutCondition.None, never);
                await store.DeleteAsync($"one/folder/{worker}", never);
            }
        })));
        Assert.Empty(await store.ListAsync("", never).ToListAsync());
    }

    [Fact]
    public async Task AFullDiskIsCalledOne()
    {
        // A disk of one megabyte: only root may mount one, so elsewhere the words alone are tested.
        var mount = Directory.CreateDirectory(folder.Sub("disk")).FullName;
        if (!OperatingSystem.IsLinux() || Run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount) != 0)
        {
            var error = FileSystemFailure.Explain("s", "put a", new IOException("No space left on device", 28));
            Assert.Contains("the disk is full", error.Message, StringComparison.Ordinal);
            return;
        }

        try
        {
            var store = FileSystemObjectStore.Open(mount, TimeProvider.System);
            var small = await store.PutAsync("small", new byte[1000], PutCondition.None, never);
            var error = await Assert.ThrowsAsync<ObjectStoreException>(
                async () => await store.PutAsync("small", new byte[2 << 20], PutCondition.None, never));
            Assert.Contains("the disk is full", error.Message, StringComparison.Ordinal);
            var file = folder.Write("big", new byte[2 << 20]);
            error = await Assert.ThrowsAsync<ObjectStoreException>(async () => await store.UploadAsync("big", file, never));
            Assert.Contains("the disk is full", error.Message, StringComparison.Ordinal);

            // What was there is there, and what did not fit takes no room.
            Assert.Equal(small, (await store.GetAsync("small", 1000, never))!.Version);
            await store.PutAsync("fits", new byte[500_000], PutCondition.None, never);
        }
        finally
        {
            Assert.Equal(0, Run("umount", mount));
        }
    }

    [Fact]
    public void AFolderThatCanNotBeMadeIsAnError()
    {
        var file = folder.Write("file", [1]);
        var error = Assert.Throws<ObjectStoreException>(() => FileSystemObjectStore.Open(Path.Combine(file, "below"), TimeProvider.System));
        Assert.Contains(file, error.Message, StringComparison.Ordinal);
    }

    private static Process StartWriter(string root, int writer)
    {
        var start = new ProcessStartInfo("dotnet") { UseShellExecute = false };
        foreach (var argument in new[] { typeof(Ledger).Assembly.Location, Program.WriteLedger, root, "ledger", $"{writer}", "50" })
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start)!;
    }

    private static int Run(string file, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(file, arguments) { RedirectStandardError = true, UseShellExecute = false })!;
        process.WaitForExit();
        return process.ExitCode;
    }
}
