using Metrics.ObjectStore;

namespace Metrics.Cluster.Tests.Membership;

/// <summary>What becomes of a put.</summary>
public enum Doubt
{
    /// <summary>It is stored, and the answer says so.</summary>
    None,

    /// <summary>It is not stored, and there is no answer.</summary>
    Lost,

    /// <summary>It is stored, and there is no answer.</summary>
    AnswerLost,

    /// <summary>There is no answer, and it is stored later, if its condition still holds then.</summary>
    Late,

    /// <summary>It is stored, the answer is lost, and the client's second try meets its own first.</summary>
    MeetsItself,
}

/// <summary>A store in memory whose conditional puts are answered or not as a test says.</summary>
internal sealed class DoubtfulStore(TimeProvider time) : IObjectStore
{
    private readonly MemoryObjectStore inner = new(time);
    private readonly Lock gate = new();
    private readonly List<Func<Task>> late = [];

    /// <summary>Says what becomes of the next conditional put.</summary>
    public Func<Doubt> Next { get; set; } = static () => Doubt.None;

    public string Name => "doubtful";

    /// <summary>Lets the puts that are still on their way arrive.</summary>
    public async Task ArriveAsync()
    {
        List<Func<Task>> arriving;
        lock (gate)
        {
            arriving = [.. late];
            late.Clear();
        }

        foreach (var put in arriving)
        {
            await put();
        }
    }

    public async ValueTask<ObjectVersion> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellation)
    {
        await Task.Yield();
        var isConditional = condition != PutCondition.None;
        switch (isConditional ? Next() : Doubt.None)
        {
            case Doubt.Lost:
                throw new ObjectStoreException($"{key}: no answer");
            case Doubt.AnswerLost:
                await inner.PutAsync(key, content, condition, cancellation);
                throw new ObjectStoreException($"{key}: no answer");
            case Doubt.Late:
                lock (gate)
                {
                    late.Add(() => StoreLateAsync(key, content, condition));
                }

                throw new ObjectStoreException($"{key}: no answer");
            case Doubt.MeetsItself:
                await inner.PutAsync(key, content, condition, cancellation);
                throw new ConditionFailedException($"{key}: changed");
            default:
                return await inner.PutAsync(key, content, condition, cancellation);
        }
    }

    public ValueTask<ObjectInfo?> FindAsync(string key, CancellationToken cancellation) => inner.FindAsync(key, cancellation);

    public async ValueTask<StoredObject?> GetAsync(string key, int maxBytes, CancellationToken cancellation)
    {
        await Task.Yield();
        return await inner.GetAsync(key, maxBytes, cancellation);
    }

    public ValueTask<int> ReadAsync(string key, long offset, Memory<byte> into, CancellationToken cancellation) => inner.ReadAsync(key, offset, into, cancellation);

    public ValueTask UploadAsync(string key, string path, CancellationToken cancellation) => inner.UploadAsync(key, path, cancellation);

    public ValueTask DeleteAsync(string key, CancellationToken cancellation) => inner.DeleteAsync(key, cancellation);

    public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellation) => inner.ListAsync(prefix, cancellation);

    public IAsyncEnumerable<string> ListFoldersAsync(string prefix, CancellationToken cancellation) => inner.ListFoldersAsync(prefix, cancellation);

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private async Task StoreLateAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition)
    {
        try
        {
            await inner.PutAsync(key, content, condition, CancellationToken.None);
        }
        catch (ConditionFailedException)
        {
            // The table has moved on, and a put that comes too late does nothing.
        }
    }
}
