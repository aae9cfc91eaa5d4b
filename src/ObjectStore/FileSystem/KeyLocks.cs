using System.Text;

namespace Metrics.ObjectStore;

/// <summary>Lets one writer at a time compare and replace an object, among all threads and processes that have the folder open on one machine.</summary>
/// <remarks>
/// A key maps to one of 64 lock files by its hash, and a writer holds that file's <c>flock</c> from before it compares until after it has renamed.
/// That is right for these reasons. The kernel gives the lock to one open file at a time, and each attempt opens its own, so threads, store objects and
/// processes all exclude each other. It takes the lock back when the holder dies, however it dies, so none is left behind. The lock files are never
/// removed or renamed, so two writers can not hold locks on different files of one name. Every change of a key takes the lock, also the unconditional
/// and deletions, so nothing changes between a comparison and its rename. Readers need none: a rename shows them the old or the new object.
/// It excludes writers of one machine only: on a network file system locks may be local to each client, so such a folder needs one writing machine.
/// </remarks>
internal sealed class KeyLocks(string folder, TimeProvider time)
{
    private const int Stripes = 64;
    private static readonly TimeSpan firstPause = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan longestPause = TimeSpan.FromMilliseconds(50);

    /// <summary>Threads of this store queue here, so that only one of them at a time asks the kernel over and over.</summary>
    private readonly SemaphoreSlim[] queues = [.. Enumerable.Range(0, Stripes).Select(_ => new SemaphoreSlim(1, 1))];

    /// <summary>Waits for a key's lock; disposing the answer gives it back.</summary>
    /// <exception cref="TimeoutException">Others held it all the time.</exception>
    /// <exception cref="IOException">The lock file can't be made, or the file system has no locks.</exception>
    public async ValueTask<IDisposable> TakeAsync(string key, TimeSpan patience, CancellationToken cancellation)
    {
        var stripe = StripeOf(key);
        using var limit = new CancellationTokenSource(patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            await queues[stripe].WaitAsync(either.Token);
            try
            {
                return await TakeFileAsync(stripe, either.Token);
            }
            catch
            {
                queues[stripe].Release();
                throw;
            }
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new TimeoutException($"others held the lock of the key for {patience.TotalSeconds:0.#} s", e);
        }
    }

    /// <summary>FNV-1a: the same in every process and version, which the runtime's own hash is not.</summary>
    private static int StripeOf(string key)
    {
        var hash = 2166136261u;
        foreach (var b in Encoding.UTF8.GetBytes(key))
        {
            hash = (hash ^ b) * 16777619u;
        }

        return (int)((hash ^ (hash >> 16)) % Stripes);
    }

    private async ValueTask<IDisposable> TakeFileAsync(int stripe, CancellationToken cancellation)
    {
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, $"{stripe:x2}.lock");
        for (var pause = firstPause; ; pause = pause * 2 < longestPause ? pause * 2 : longestPause)
        {
            if (TryOpenLocked(path) is { } file)
            {
                return new Held(file, queues[stripe]);
            }

            await Task.Delay(pause, time, cancellation);
        }
    }

    private static FileStream? TryOpenLocked(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            }
            catch (IOException e) when ((e.HResult & 0xffff) == 32)
            {
                return null;
            }
        }

        // Not FileShare.None: .NET lets file systems without locks pass silently, and an environment variable turns its locks off.
        FileStream file;
        try
        {
            file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        }
        catch (IOException e) when (Posix.IsWouldBlock(e))
        {
            return null; // .NET takes a shared lock as it opens, which fails while another process has the exclusive one.
        }

        try
        {
            if (Posix.TryLock(file.SafeFileHandle))
            {
                return file;
            }
        }
        catch
        {
            file.Dispose();
            throw;
        }

        file.Dispose();
        return null;
    }

    private sealed class Held(FileStream file, SemaphoreSlim queue) : IDisposable
    {
        public void Dispose()
        {
            file.Dispose();
            queue.Release();
        }
    }
}
