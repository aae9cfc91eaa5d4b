namespace Metrics.Storage;

/// <summary>What ends the waiting of the reads that the current thread makes.</summary>
/// <remarks>
/// A read of a range is a span by offset and length, the same for a mapped file and for one far away; decoders and set operations between a query and its reads know of no waiting. They run on
/// one thread without an await, so the query's token reaches the request by thread instead of by a parameter of each.
/// </remarks>
internal readonly ref struct ReadCancellation
{
    [ThreadStatic]
    private static CancellationToken current;

    private readonly CancellationToken outer;

    private ReadCancellation(CancellationToken outer) => this.outer = outer;

    /// <summary>The token of the innermost <see cref="Begin"/> on this thread.</summary>
    public static CancellationToken Current => current;

    /// <summary>Lets a token end the waiting until this is disposed, on the same thread.</summary>
    public static ReadCancellation Begin(CancellationToken cancellation)
    {
        var scope = new ReadCancellation(current);
        current = cancellation;
        return scope;
    }

    /// <summary>Goes back to what held before.</summary>
    public void Dispose() => current = outer;
}
