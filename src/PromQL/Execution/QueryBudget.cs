namespace Metrics.PromQL.Execution;

/// <summary>Counts the samples that a query holds and stops it where it holds too many. Thread-safe.</summary>
internal sealed class QueryBudget(long maxSamples, QueryBounds bounds, MemoryLease memory)
{
    private long held;
    private long fetchedBytes;
    private long fetchedChunks;
    private long peak;

    /// <summary>The most samples held at once so far.</summary>
    public long Peak => Interlocked.Read(ref peak);

    /// <summary>Bytes of samples read so far.</summary>
    public long FetchedBytes => Interlocked.Read(ref fetchedBytes);

    /// <summary>Chunks read so far.</summary>
    public long FetchedChunks => Interlocked.Read(ref fetchedChunks);

    /// <summary>Notes bytes of samples read, and of how many chunks they were.</summary>
    /// <exception cref="QueryException">There are too many by now.</exception>
    public void Fetch(long bytes, long chunks)
    {
        bounds.CheckChunks(Interlocked.Add(ref fetchedChunks, chunks));
        bounds.CheckBytes(Interlocked.Add(ref fetchedBytes, bytes));
    }

    /// <summary>Takes room for samples.</summary>
    /// <exception cref="QueryException">There is none left.</exception>
    public void Take(long samples)
    {
        memory.Take(samples * MemoryLease.SampleBytes);
        var now = Interlocked.Add(ref held, samples);
        for (var old = Interlocked.Read(ref peak); now > old; old = Interlocked.Read(ref peak))
        {
            Interlocked.CompareExchange(ref peak, now, old);
        }

        if (now > maxSamples)
        {
            throw new QueryException(QueryErrorKind.Execution, "query processing would load too many samples into memory in query execution");
        }
    }

    /// <summary>Gives room back.</summary>
    public void Release(long samples)
    {
        memory.Release(samples * MemoryLease.SampleBytes);
        Interlocked.Add(ref held, -samples);
    }
}
