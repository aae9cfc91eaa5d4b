using System.Buffers;
using Metrics.ObjectStore;

namespace Metrics.Storage;

/// <summary>Reads ranges of objects: so many at once, and a second time side by side when the first takes unusually long. Thread-safe.</summary>
/// <remarks>
/// Hedging after Dean and Barroso, "The Tail at Scale" (CACM 2013): the second request goes out when the first has taken longer than most of the recent ones did, so it adds few requests
/// and cuts the tail that one slow disk or connection makes.
/// </remarks>
internal sealed class RangeFetcher(IObjectStore store, BlockCacheOptions options, BlockCacheInstruments instruments, TimeProvider time) : IDisposable
{
    private const int Remembered = 128;
    private readonly SemaphoreSlim slots = new(options.MaxRequests, options.MaxRequests);
    private readonly Lock gate = new();
    private readonly double[] recentMs = new double[Remembered];
    private int remembered;
    private double hedgeAfterMs = options.FirstHedge.TotalMilliseconds;

    /// <summary>What it has cost.</summary>
    public BlockCacheInstruments Instruments => instruments;

    /// <summary>What messages call an object.</summary>
    public string NameOf(string key) => $"{store.Name}: {key}";

    /// <summary>Reads a range of an object whole into a rented buffer, which the caller gives back.</summary>
    /// <exception cref="InvalidDataException">The object is not there, or is shorter than it should be.</exception>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    public async Task<byte[]> FetchAsync(string key, FileRange range, CancellationToken cancellation)
    {
        await slots.WaitAsync(cancellation);
        using var race = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            var first = ReadAsync(key, range, race.Token);
            if (first.IsCompleted || await IsDoneInTimeAsync(first, race.Token))
            {
                return await first;
            }

            instruments.OnHedge();
            var second = ReadAsync(key, range, race.Token);
            var winner = await Task.WhenAny(first, second);
            var other = winner == first ? second : first;
            if (!winner.IsCompletedSuccessfully)
            {
                (winner, other) = (other, winner);
            }

            // Its buffer is rented too, whenever it comes.
            _ = other.ContinueWith(static late => ArrayPool<byte>.Shared.Return(late.Result), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
            return await winner;
        }
        finally
        {
            await race.CancelAsync();
            slots.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => slots.Dispose();

    private async Task<bool> IsDoneInTimeAsync(Task first, CancellationToken cancellation)
    {
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var patience = Task.Delay(TimeSpan.FromMilliseconds(Volatile.Read(ref hedgeAfterMs)), time, waiting.Token);
        var done = await Task.WhenAny(first, patience) == first;
        await waiting.CancelAsync();
        return done;
    }

    private async Task<byte[]> ReadAsync(string key, FileRange range, CancellationToken cancellation)
    {
        instruments.OnRequest(range.Length);
        var buffer = ArrayPool<byte>.Shared.Rent((int)range.Length);
        var began = time.GetTimestamp();
        try
        {
            var got = await store.ReadAsync(key, range.Offset, buffer.AsMemory(0, (int)range.Length), cancellation);
            if (got < range.Length)
            {
                BlockDamage.Throw(NameOf(key), range.Offset + got, "the object ends here, before the end of the file that it was made from");
            }

            Remember(time.GetElapsedTime(began).TotalMilliseconds);
            return buffer;
        }
        catch (ObjectNotFoundException e)
        {
            ArrayPool<byte>.Shared.Return(buffer);
            throw new InvalidDataException($"{NameOf(key)}: offset {range.Offset}: the object is missing", e);
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(buffer);
            throw;
        }
    }

    private void Remember(double tookMs)
    {
        lock (gate)
        {
            recentMs[remembered++ % Remembered] = tookMs;
            if (remembered % 16 == 0)
            {
                var known = recentMs.AsSpan(0, Math.Min(remembered, Remembered)).ToArray();
                Array.Sort(known);
                var slow = known[known.Length * 95 / 100];
                Volatile.Write(ref hedgeAfterMs, Math.Clamp(2 * slow, options.LeastHedge.TotalMilliseconds, options.FirstHedge.TotalMilliseconds * 10));
            }
        }
    }
}
