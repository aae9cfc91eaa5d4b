using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Gateway.Relabelling;

/// <summary>Bounds how many values each label of a tenant has: a value too many is replaced, so that the series is counted on, among those that share the replacement, and not lost. Thread-safe.</summary>
/// <remarks>
/// The values are those of the tenant's series of the last hours: they are read from its shards before the first write, and again every few minutes, when those of series that have ended make room. What came through here meanwhile
/// stays known. So a tenant has the bound and not one value more, as long as one gateway takes its writes; several tell each other through the shards only, and each may add values until it reads again.
/// A series that was replaced stays so for as long as its writer remembers it, with room or without.
/// </remarks>
/// <param name="most">Values of a label; the replacement does not count.</param>
/// <param name="time">The clock.</param>
internal sealed class LabelValueCap(int most, TimeProvider time)
{
    /// <summary>What takes the place of values.</summary>
    public const string Overflow = "__cardinality_overflow__";

    /// <summary>How often the values are read again.</summary>
    public static readonly TimeSpan ReadEvery = TimeSpan.FromMinutes(5);

    /// <summary>Series without samples for so long don't count; heads forget them then.</summary>
    private static readonly TimeSpan activeFor = TimeSpan.FromHours(3);

    private readonly Lock gate = new();
    private TaskCompletionSource? reading;
    private Dictionary<string, HashSet<string>>? known;
    private Dictionary<string, HashSet<string>>? since;
    private long readAt;
    private long replaced;

    /// <summary>Values of a label.</summary>
    public int Most => most;

    /// <summary>Values that were replaced so far, once for each new series.</summary>
    public long Replaced => Interlocked.Read(ref replaced);

    /// <summary>Sees to it that the tenant's values are known; to be awaited before its series are rewritten.</summary>
    /// <exception cref="ShardUnavailableException">They were never read, and can't be now.</exception>
    public async ValueTask ReadyAsync(ITenant tenant, CancellationToken cancellation)
    {
        TaskCompletionSource done;
        lock (gate)
        {
            if (known is not null && (reading is not null || time.GetElapsedTime(readAt) < ReadEvery))
            {
                // Who comes while they are read again goes on with those that are known.
                return;
            }

            if (reading is null)
            {
                reading = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _ = ReadAsync(tenant, reading);
            }

            done = reading;
        }

        await done.Task.WaitAsync(cancellation);
    }

    /// <summary>Replaces what are values too many in the labels of a new series.</summary>
    public void Apply(LabelsBuilder labels)
    {
        foreach (var (name, value) in labels.ToLabels().ToList())
        {
            if (name != Labels.MetricName && value != Overflow && !Admit(name, value))
            {
                labels.Set(name, Overflow);
                Interlocked.Increment(ref replaced);
            }
        }
    }

    private bool Admit(string name, string value)
    {
        lock (gate)
        {
            var values = ValuesOf(known!, name);
            if (!values.Contains(value))
            {
                if (values.Count >= most)
                {
                    return false;
                }

                values.Add(value);
            }

            if (since is not null)
            {
                ValuesOf(since, name).Add(value);
            }

            return true;
        }
    }

    /// <summary>Reads the values, for all who wait for it: so none of them ends it by going.</summary>
    private async Task ReadAsync(ITenant tenant, TaskCompletionSource done)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        Exception? failure = null;
        lock (gate)
        {
            since = new(StringComparer.Ordinal);
        }

        try
        {
            var now = time.GetUtcNow();
            var range = new TimeRange((now - activeFor).ToUnixTimeMilliseconds(), (now + activeFor).ToUnixTimeMilliseconds());
            var read = await tenant.AskAsync(shards => ValuesOfAsync(shards, range), CancellationToken.None);
            lock (gate)
            {
                foreach (var (name, values) in since)
                {
                    ValuesOf(read, name).UnionWith(values);
                }

                (known, readAt) = (read, time.GetTimestamp());
            }
        }
        catch (Exception e)
        {
            failure = e;
        }

        lock (gate)
        {
            (since, reading) = (null, null);
            if (failure is null || known is not null)
            {
                // What is known goes on to hold; the next write tries again.
                done.SetResult();
                return;
            }
        }

        done.SetException(failure);
    }

    private async ValueTask<Dictionary<string, HashSet<string>>> ValuesOfAsync(IReadOnlyList<IShard> shards, TimeRange range)
    {
        // More than the bound need not be known: no room is no room.
        var read = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
        foreach (var shard in shards)
        {
            foreach (var name in await shard.LabelNamesAsync(new LabelQuery([], range, 0), CancellationToken.None))
            {
                if (name != Labels.MetricName)
                {
                    var values = ValuesOf(read, name);
                    foreach (var value in (await shard.LabelValuesAsync(name, new LabelQuery([], range, most + 1), CancellationToken.None)).Where(static v => v != Overflow))
                    {
                        if (values.Count < most)
                        {
                            values.Add(value);
                        }
                    }
                }
            }
        }

        return read;
    }

    private static HashSet<string> ValuesOf(Dictionary<string, HashSet<string>> all, string name)
    {
        if (!all.TryGetValue(name, out var values))
        {
            all.Add(name, values = new HashSet<string>(StringComparer.Ordinal));
        }

        return values;
    }
}
