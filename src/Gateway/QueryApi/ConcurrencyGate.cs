namespace Metrics.Gateway.QueryApi;

/// <summary>Lets so many queries run and so many wait; more are turned away. Thread-safe.</summary>
internal sealed class ConcurrencyGate(int maxRunning, int maxWaiting) : IDisposable
{
    private readonly SemaphoreSlim places = new(maxRunning, maxRunning);
    private int waiting;

    /// <summary>Queries running and waiting now.</summary>
    public (int Running, int Waiting) Load => (maxRunning - places.CurrentCount, Volatile.Read(ref waiting));

    /// <summary>Waits for a place; follow with <see cref="Leave"/>.</summary>
    /// <exception cref="ApiException">Too many wait already.</exception>
    /// <exception cref="OperationCanceledException">The query was cancelled, or its time was up, before it got a place.</exception>
    public async ValueTask EnterAsync(CancellationToken cancellation)
    {
        // Fast path: nobody waits.
        if (places.Wait(0, CancellationToken.None))
        {
            return;
        }

        if (Interlocked.Increment(ref waiting) > maxWaiting)
        {
            Interlocked.Decrement(ref waiting);
            throw new ApiException(ApiErrorType.Unavailable, $"too many queries: {maxRunning} are running and {maxWaiting} waiting");
        }

        try
        {
            await places.WaitAsync(cancellation);
        }
        finally
        {
            Interlocked.Decrement(ref waiting);
        }
    }

    /// <summary>Gives the place back.</summary>
    public void Leave() => places.Release();

    /// <inheritdoc/>
    public void Dispose() => places.Dispose();
}
