using Metrics.ObjectStore;

namespace Metrics.Simulation.Rules;

/// <summary>Object storage as one owner of rules reaches it: slow, and when faults are wished for, failing or silent about what it did.</summary>
internal sealed class RuleBucket(MemoryObjectStore objects, SimScheduler scheduler, SimProcess process, SimProcess world, double faults) : IObjectStore
{
    public string Name => "bucket";

    public async ValueTask<ObjectInfo?> FindAsync(string key, CancellationToken cancellation)
    {
        await ReachAsync(key);
        return await objects.FindAsync(key, cancellation);
    }

    public async ValueTask<StoredObject?> GetAsync(string key, int maxBytes, CancellationToken cancellation)
    {
        await ReachAsync(key);
        var found = await objects.GetAsync(key, maxBytes, cancellation);
        await DelayAsync();
        return found;
    }

    public ValueTask<int> ReadAsync(string key, long offset, Memory<byte> into, CancellationToken cancellation) => throw new NotSupportedException();

    public async ValueTask<ObjectVersion> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellation)
    {
        await ReachAsync(key);
        if (scheduler.Chance(faults))
        {
            if (scheduler.Chance(0.7))
            {
                // It is on its way, and arrives after its sender has given up.
                var late = content.ToArray();
                scheduler.Plan(scheduler.Between(TimeSpan.Zero, TimeSpan.FromSeconds(15)), world, () => StoreLate(key, late, condition));
            }

            await DelayAsync();
            throw new ObjectStoreException($"put {key}: no answer");
        }

        var version = await objects.PutAsync(key, content, condition, CancellationToken.None);
        await DelayAsync();
        return version;
    }

    public ValueTask UploadAsync(string key, string path, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask DeleteAsync(string key, CancellationToken cancellation) => objects.DeleteAsync(key, cancellation);

    public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellation) => objects.ListAsync(prefix, cancellation);

    public IAsyncEnumerable<string> ListFoldersAsync(string prefix, CancellationToken cancellation) => objects.ListFoldersAsync(prefix, cancellation);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private void StoreLate(string key, byte[] content, PutCondition condition)
    {
        try
        {
            _ = objects.PutAsync(key, content, condition, CancellationToken.None).AsTask().GetAwaiter().GetResult();
        }
        catch (ConditionFailedException)
        {
            // Someone has written since: that is what the condition is for.
        }
    }

    private async ValueTask ReachAsync(string key)
    {
        await DelayAsync();
        if (scheduler.Chance(faults))
        {
            throw new ObjectStoreException($"{key}: the bucket does not answer");
        }
    }

    private Task DelayAsync() => Task.Delay(scheduler.Between(TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(200)), process.Time);
}
