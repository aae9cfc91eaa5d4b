using Metrics.Model;

namespace Metrics.PromQL;

/// <summary>Counts the memory that the queries of a process hold, label requests and remote reads among them, as far as it grows with what they read, and turns them away before it is used up. Thread-safe.</summary>
/// <remarks>
/// An estimate: 16 bytes for each sample that operators hold (<see cref="EngineOptions.MaxSamples"/> counts the same ones), something for each series, and the answer until it is written. What is beyond the bound is refused to whoever holds much:
/// a query that holds less than its part of half the bound goes on, so that many small ones do not fail for the sake of a large one. So all together hold one and a half times the bound at most.
/// </remarks>
/// <param name="maxBytes">What all may hold together; 0 for no bound.</param>
/// <param name="queries">How many queries run at once.</param>
public sealed class QueryMemory(long maxBytes, int queries)
{
    private readonly long small = maxBytes / (2L * queries);
    private long held;
    private long refused;

    /// <summary>What all queries hold now, bytes.</summary>
    public long Held => Interlocked.Read(ref held);

    /// <summary>What all may hold together, bytes; 0 for no bound.</summary>
    public long Max => maxBytes;

    /// <summary>Queries that were turned away so far.</summary>
    public long Refused => Interlocked.Read(ref refused);

    /// <summary>Lets a query begin.</summary>
    /// <param name="bounds">What it may hold itself.</param>
    /// <exception cref="QueryException">The bound is reached.</exception>
    public MemoryLease Open(QueryBounds bounds)
    {
        if (maxBytes > 0 && Held >= maxBytes)
        {
            throw Refuse(isFirst: true);
        }

        return new MemoryLease(this, bounds);
    }

    /// <summary>Takes memory for a query that will hold as much as it says; false when there is none left for it. It is taken all the same.</summary>
    internal bool Take(long bytes, long own) => Interlocked.Add(ref held, bytes) <= maxBytes || maxBytes == 0 || own <= small || bytes <= 0;

    /// <summary>What a query that is turned away is told.</summary>
    /// <param name="isFirst">Whether it is told for the first time, and counts.</param>
    internal QueryException Refuse(bool isFirst)
    {
        Interlocked.Add(ref refused, isFirst ? 1 : 0);
        return new QueryException(QueryErrorKind.Overloaded, $"the queries that are running hold as much memory as query.max_inflight_bytes allows, {maxBytes} bytes: ask again later, or for less");
    }
}

/// <summary>The memory of one query, over all threads that work on it. Thread-safe; disposing gives back what is left, once.</summary>
public sealed class MemoryLease : IDisposable
{
    /// <summary>What a sample counts: a time and a value, or a value and its place.</summary>
    public const int SampleBytes = 16;

    /// <summary>What a series counts: its labels and its places in lists.</summary>
    public const int SeriesBytes = 128;

    /// <summary>What a series counts of which no label set is made: its places in the selection.</summary>
    public const int SelectedBytes = 48;

    private const int ObjectBytes = 48;

    private readonly Lock gate = new();
    private readonly QueryMemory memory;
    private readonly QueryBounds bounds;
    private long held;
    private bool isDisposed;
    private int isRefused;

    internal MemoryLease(QueryMemory memory, QueryBounds bounds)
    {
        this.memory = memory;
        this.bounds = bounds;
    }

    /// <summary>What a label set counts by itself, in an answer that is made of nothing else.</summary>
    public static long BytesOf(Labels labels) => BytesOf(labels.Encoded);

    /// <summary>The same for one in canonical form.</summary>
    public static long BytesOf(ReadOnlySpan<byte> canonical) => ObjectBytes + canonical.Length;

    /// <summary>The same for a name or value.</summary>
    public static long BytesOf(string text) => ObjectBytes + (2L * text.Length);

    /// <summary>Takes memory. What comes after the end, from shards that were not heard of it yet, does not count.</summary>
    /// <exception cref="QueryException">The query may not have so much, or there is none left.</exception>
    public void Take(long bytes)
    {
        long own;
        lock (gate)
        {
            if (isDisposed)
            {
                return;
            }

            held += bytes;
            own = held;
        }

        if (!memory.Take(bytes, own))
        {
            throw memory.Refuse(Interlocked.Exchange(ref isRefused, 1) == 0);
        }

        bounds.CheckMemory(own);
    }

    /// <summary>Gives memory back.</summary>
    public void Release(long bytes)
    {
        lock (gate)
        {
            if (!isDisposed)
            {
                held -= bytes;
                memory.Take(-bytes, 0);
            }
        }
    }

    /// <summary>Gives back all but so many bytes: what an answer holds when all else is done.</summary>
    public void Settle(long bytes)
    {
        lock (gate)
        {
            Release(held - bytes);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (gate)
        {
            Settle(0);
            isDisposed = true;
        }
    }
}
