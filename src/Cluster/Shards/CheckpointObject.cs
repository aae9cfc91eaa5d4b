using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>A log's checkpoint in object storage.</summary>
internal static class CheckpointObject
{
    private const int DownloadBytes = 1024 * 1024;

    /// <summary>Shows a checkpoint to a visitor.</summary>
    /// <param name="store">The object storage.</param>
    /// <param name="key">The object.</param>
    /// <param name="path">Where it may lie on this machine meanwhile.</param>
    /// <param name="visitor">Is shown the records.</param>
    /// <param name="report">Is told, in a sentence, of damage.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="IOException">It can't be read now.</exception>
    public static async ValueTask ShowAsync(IObjectStore store, string key, string path, ILogVisitor visitor, Action<string> report, CancellationToken cancellation)
    {
        File.Delete(path); // It may be another name of an object.
        await DownloadAsync(store, key, path, cancellation);
        LogCheckpoint.Read(path, visitor, text => report($"{key}: {text}"));
        File.Delete(path);
    }

    private static async ValueTask DownloadAsync(IObjectStore store, string key, string path, CancellationToken cancellation)
    {
        await using var file = File.Create(path);
        var buffer = new byte[DownloadBytes];
        for (var offset = 0L; ;)
        {
            var read = await store.ReadAsync(key, offset, buffer, cancellation);
            await file.WriteAsync(buffer.AsMemory(0, read), cancellation);
            offset += read;
            if (read < buffer.Length)
            {
                return;
            }
        }
    }
}
