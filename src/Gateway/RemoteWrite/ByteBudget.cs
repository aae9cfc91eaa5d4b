namespace Metrics.Gateway.RemoteWrite;

/// <summary>Bytes that requests in flight may hold together; taken before the memory is. Thread-safe.</summary>
internal sealed class ByteBudget(long limit)
{
    private long taken;

    /// <summary>Bytes taken now.</summary>
    public long Taken => Volatile.Read(ref taken);

    /// <summary>Takes bytes; false, taking none, when they would exceed the limit.</summary>
    public bool TryTake(long bytes)
    {
        if (Interlocked.Add(ref taken, bytes) <= limit)
        {
            return true;
        }

        Interlocked.Add(ref taken, -bytes);
        return false;
    }

    /// <summary>Gives bytes back.</summary>
    public void Return(long bytes) => Interlocked.Add(ref taken, -bytes);
}
