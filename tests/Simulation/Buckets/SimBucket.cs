using Metrics.ObjectStore;

namespace Metrics.Simulation;

/// <summary>The bucket that all nodes share: slow, failing, and sometimes silent about what it did. Watches what is published.</summary>
internal sealed class SimBucket(SimFaults faults, ManifestWatch watch, bool swapsBlindly)
{
    private readonly MemoryObjectStore objects = new(faults.World.Time);

    /// <summary>What is stored, without faults.</summary>
    public MemoryObjectStore Objects => objects;

    /// <summary>The bucket as a node reaches it.</summary>
    public IObjectStore For(SimNode node) => new Access(this, node);

    private async ValueTask<ObjectVersion> StoreAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition)
    {
        var version = await objects.PutAsync(key, content, swapsBlindly ? PutCondition.None : condition, CancellationToken.None);
        watch.OnStored(key, content);
        return version;
    }

    private sealed class Access(SimBucket bucket, SimNode node) : IObjectStore
    {
        private readonly SimScheduler scheduler = node.Scheduler;
        private readonly SimFaults faults = node.Faults;
        private readonly TimeProvider time = node.Process.Time;

        public string Name => "bucket";

        public async ValueTask<ObjectInfo?> FindAsync(string key, CancellationToken cancellation)
        {
            await ReachAsync(key);
            return await bucket.objects.FindAsync(key, cancellation);
        }

        public async ValueTask<StoredObject?> GetAsync(string key, int maxBytes, CancellationToken cancellation)
        {
            await ReachAsync(key);
            var found = await bucket.objects.GetAsync(key, maxBytes, cancellation);
            await Task.Delay(Latency(), time, cancellation);
            return found;
        }

        public ValueTask<int> ReadAsync(string key, long offset, Memory<byte> into, CancellationToken cancellation) => bucket.objects.ReadAsync(key, offset, into, cancellation);

        public async ValueTask<ObjectVersion> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellation)
        {
            await ReachAsync(key);
            if (scheduler.Chance(faults.BucketDoubts))
            {
                faults.Count("put in doubt");
                if (scheduler.Chance(0.7))
                {
                    // It is on its way, and arrives after its sender has given up, or never.
                    var late = content.ToArray();
                    scheduler.Plan(scheduler.Between(TimeSpan.Zero, TimeSpan.FromSeconds(5)), faults.World, () => StoreLate(key, late, condition));
                }

                await Task.Delay(scheduler.Between(TimeSpan.Zero, TimeSpan.FromSeconds(2)), time, cancellation);
                throw new ObjectStoreException($"put {key}: no answer");
            }

            var version = await bucket.StoreAsync(key, content, condition);
            await Task.Delay(Latency(), time, cancellation);
            return version;
        }

        public ValueTask UploadAsync(string key, string path, CancellationToken cancellation) => throw new NotSupportedException();

        public ValueTask DeleteAsync(string key, CancellationToken cancellation) => bucket.objects.DeleteAsync(key, cancellation);

        public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellation) => bucket.objects.ListAsync(prefix, cancellation);

        public IAsyncEnumerable<string> ListFoldersAsync(string prefix, CancellationToken cancellation) => bucket.objects.ListFoldersAsync(prefix, cancellation);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;

        private void StoreLate(string key, byte[] content, PutCondition condition)
        {
            try
            {
                _ = bucket.StoreAsync(key, content, condition).AsTask().GetAwaiter().GetResult();
            }
            catch (ConditionFailedException)
            {
                faults.Count("late put refused");
            }
        }

        private async ValueTask ReachAsync(string key)
        {
            await Task.Delay(Latency(), time);
            if (faults.BucketIsAway || scheduler.Chance(faults.BucketErrors))
            {
                faults.Count("bucket error");
                throw new ObjectStoreException($"{key}: the bucket does not answer");
            }
        }

        private TimeSpan Latency() => scheduler.Between(TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(60));
    }
}
