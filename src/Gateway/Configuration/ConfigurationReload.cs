using System.Security.Cryptography;
using Metrics.Cluster;
using Metrics.Gateway.Telemetry;
using Metrics.ObjectStore;

namespace Metrics.Gateway.Configuration;

/// <summary>Takes configuration anew while the server runs: all parts when told to (<c>/-/reload</c>, SIGHUP), and one of which a file has changed.</summary>
/// <remarks>
/// Files are compared by content: a secret that Kubernetes mounts is a link whose own time never changes. A part that is not in order leaves what was in force, is logged, and turns
/// <c>metrics_config_last_reload_successful</c> to 0 until all parts are in order again.
/// </remarks>
internal sealed partial class ConfigurationReload : IAsyncDisposable
{
    private readonly IReadOnlyList<ReloadPart> parts;
    private readonly TimeProvider time;
    private readonly ILogger<ConfigurationReload> logger;
    private readonly SemaphoreSlim reloading = new(1, 1);
    private readonly CancellationTokenSource stopping = new();
    private readonly Dictionary<string, string> failures = new(StringComparer.Ordinal);
    private readonly byte[][] seen;
    private Task watching = Task.CompletedTask;
    private long succeededMs;
    private int disposed;

    /// <summary>Makes it over parts that are in force as their files are now.</summary>
    public ConfigurationReload(IReadOnlyList<ReloadPart> parts, TimeProvider time, MetricRegistry registry, ILogger<ConfigurationReload> logger)
    {
        this.parts = parts;
        this.time = time;
        this.logger = logger;
        seen = [.. parts.Select(Digest)];
        succeededMs = time.GetUtcNow().ToUnixTimeMilliseconds();
        registry.Add(new Observed("metrics_config_last_reload_successful", "gauge", "1 when the configuration in force is what its files say.", sink => sink.Put("", [], Failed ? 0 : 1)));
        registry.Add(new Observed("metrics_config_last_reload_success_timestamp_seconds", "gauge", "When configuration was last read without a mistake.", sink => sink.Put("", [], Volatile.Read(ref succeededMs) / 1000.0)));
    }

    /// <summary>True while a part is not in order.</summary>
    public bool Failed
    {
        get
        {
            lock (failures)
            {
                return failures.Count > 0;
            }
        }
    }

    /// <summary>When configuration was last read without a mistake.</summary>
    public DateTimeOffset Succeeded => DateTimeOffset.FromUnixTimeMilliseconds(Volatile.Read(ref succeededMs));

    /// <summary>Takes all parts anew; those in order are in force even when others are not.</summary>
    /// <exception cref="ConfigurationException">Some are not; the message says which and why.</exception>
    public async Task ReloadAsync(CancellationToken cancellation)
    {
        await reloading.WaitAsync(cancellation);
        try
        {
            for (var i = 0; i < parts.Count; i++)
            {
                seen[i] = Digest(parts[i]);
                await ReloadAsync(parts[i], cancellation);
            }

            lock (failures)
            {
                if (failures.Count > 0)
                {
                    throw new ConfigurationException(string.Join("; ", failures.Values));
                }
            }
        }
        finally
        {
            reloading.Release();
        }
    }

    /// <summary>Starts to look at the files every so often; zero for not at all.</summary>
    public void Watch(TimeSpan every)
    {
        if (every > TimeSpan.Zero)
        {
            watching = WatchAsync(every);
        }
    }

    /// <summary>Takes those parts anew of which a file has changed.</summary>
    public async Task LookAsync(CancellationToken cancellation)
    {
        await reloading.WaitAsync(cancellation);
        try
        {
            for (var i = 0; i < parts.Count; i++)
            {
                var now = Digest(parts[i]);
                if (!now.AsSpan().SequenceEqual(seen[i]))
                {
                    // What failed for storage's sake, and not for the file's, is tried again at the next look.
                    seen[i] = await ReloadAsync(parts[i], cancellation) ? now : seen[i];
                }
            }
        }
        finally
        {
            reloading.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            await stopping.CancelAsync();
            await watching;
            stopping.Dispose();
            reloading.Dispose();
        }
    }

    private async Task WatchAsync(TimeSpan every)
    {
        using var timer = new PeriodicTimer(every, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping.Token))
            {
                await LookAsync(stopping.Token);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The server stops.
        }
    }

    /// <summary>Takes a part anew; false when it may be in order, and could not be taken all the same.</summary>
    private async Task<bool> ReloadAsync(ReloadPart part, CancellationToken cancellation)
    {
        try
        {
            await part.ReloadAsync(cancellation);
            lock (failures)
            {
                failures.Remove(part.Name);
                if (failures.Count == 0)
                {
                    Volatile.Write(ref succeededMs, time.GetUtcNow().ToUnixTimeMilliseconds());
                }
            }

            LogReloaded(part.Name);
            return true;
        }
        catch (Exception e) when (e is ConfigurationException or ObjectStoreException or ShardUnavailableException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            lock (failures)
            {
                failures[part.Name] = e.Message;
            }

            LogRefused(part.Name, e.Message);
            return e is not (ObjectStoreException or ShardUnavailableException);
        }
    }

    private static byte[] Digest(ReloadPart part)
    {
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var path in part.Files())
        {
            byte[] content;
            try
            {
                content = File.ReadAllBytes(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // A file that is away differs from any that is there; reading it says so.
                content = [0];
            }

            digest.AppendData(SHA256.HashData(content));
        }

        return digest.GetHashAndReset();
    }
}
