using Metrics.ObjectStore;

namespace Metrics.Storage.Tests;

/// <summary>What a <see cref="FaultyStore"/> does to each read.</summary>
public enum Fault
{
    None,
    Fails,
    Missing,
    Truncated,
    WrongBytes,
}

/// <summary>Objects in memory whose reads can be made to fail, to lie and to hang.</summary>
internal sealed class FaultyStore : IObjectStore
{
    private int faultyReads = int.MaxValue;
    private int slowReads;

    public MemoryObjectStore Inner { get; } = new(TimeProvider.System);

    public Fault Fault { get; set; }

    /// <summary>So many reads have the fault.</summary>
    public int FaultyReads { get => faultyReads; set => faultyReads = value; }

    /// <summary>So many reads never end.</summary>
    public int SlowReads { get => slowReads; set => slowReads = value; }

    /// <summary>Completes when a read hangs.</summary>
    public TaskCompletionSource Hanging { get; set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Reads that hang wait for this.</summary>
    public TaskCompletionSource Released { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Hanging reads that were given up.</summary>
    public int GivenUp { get; private set; }

    public string Name => "faulty";

    public async ValueTask<int> ReadAsync(string key, long offset, Memory<byte> into, CancellationToken cancellation)
    {
        if (Interlocked.Decrement(ref slowReads) >= 0)
        {
            Hanging.TrySetResult();
            try
            {
                await Released.Task.WaitAsync(cancellation);
            }
            catch (OperationCanceledException)
            {
                GivenUp++;
                throw;
            }
        }

        var fault = Fault != Fault.None && Interlocked.Decrement(ref faultyReads) >= 0 ? Fault : Fault.None;
        switch (fault)
        {
            case Fault.Fails:
                throw new ObjectStoreException($"{key}: 503 from the store");
            case Fault.Missing:
                throw new ObjectNotFoundException($"{key}: gone");
        }

        var read = await Inner.ReadAsync(key, offset, into, cancellation);
        if (fault == Fault.WrongBytes)
        {
            into.Span.Reverse();
        }

        return fault == Fault.Truncated ? read / 2 : read;
    }

    public ValueTask<ObjectInfo?> FindAsync(string key, CancellationToken cancellation) => Inner.FindAsync(key, cancellation);

    public ValueTask<StoredObject?> GetAsync(string key, int maxBytes, CancellationToken cancellation) => Inner.GetAsync(key, maxBytes, cancellation);

    public ValueTask<ObjectVersion> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellation) => Inner.PutAsync(key, content, condition, cancellation);

    public ValueTask UploadAsync(string key, string path, CancellationToken cancellation) => Inner.UploadAsync(key, path, cancellation);

    public ValueTask DeleteAsync(string key, CancellationToken cancellation) => Inner.DeleteAsync(key, cancellation);

    public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellation) => Inner.ListAsync(prefix, cancellation);

    public IAsyncEnumerable<string> ListFoldersAsync(string prefix, CancellationToken cancellation) => Inner.ListFoldersAsync(prefix, cancellation);

    public ValueTask DisposeAsync() => Inner.DisposeAsync();
}
