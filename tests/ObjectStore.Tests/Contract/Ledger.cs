using System.Text;
using Xunit;

namespace Metrics.ObjectStore.Tests;

/// <summary>Writers that add lines to one object by compare-and-swap, each line once, whatever the store does to them in between.</summary>
internal static class Ledger
{
    private const int MaxBytes = 1 << 20;

    /// <summary>More than contention ever takes; a store that refuses every condition ends the test and does not hang it.</summary>
    private const int MaxTriesPerLine = 2000;

    /// <summary>One writer for each store adds some lines to an object that is there and empty; then all lines must be there, once.</summary>
    public static async Task CheckAsync(IReadOnlyList<IObjectStore> writers, string key, int linesEach)
    {
        await Task.WhenAll(writers.Select((store, writer) => Task.Run(() => WriteAsync(store, key, writer, linesEach))));
        var final = await ReadAsync(writers[0], key);
        var want = from writer in Enumerable.Range(0, writers.Count) from line in Enumerable.Range(0, linesEach) select Line(writer, line);
        Assert.Equal(want.Order(StringComparer.Ordinal), Lines(final.Content).Order(StringComparer.Ordinal));
    }

    private static async Task WriteAsync(IObjectStore store, string key, int writer, int count)
    {
        for (var i = 0; i < count; i++)
        {
            await AddAsync(store, key, Line(writer, i));
        }
    }

    private static async Task AddAsync(IObjectStore store, string key, string line)
    {
        for (var tries = 0; tries < MaxTriesPerLine; tries++)
        {
            try
            {
                var stored = await ReadAsync(store, key);
                if (Lines(stored.Content).Contains(line, StringComparer.Ordinal))
                {
                    // A put of ours whose outcome was not known had taken effect.
                    return;
                }

                byte[] next = [.. stored.Content, .. Encoding.UTF8.GetBytes(line + "\n")];
                await store.PutAsync(key, next, PutCondition.Unchanged(stored.Version), CancellationToken.None);
                return;
            }
            catch (ObjectStoreException)
            {
                // Somebody else was first, or nobody knows: read again.
            }
        }

        Assert.Fail($"{line} could not be added in {MaxTriesPerLine} tries");
    }

    private static async Task<StoredObject> ReadAsync(IObjectStore store, string key) =>
        await store.GetAsync(key, MaxBytes, CancellationToken.None) ?? throw new ObjectStoreException($"{key} is gone");

    private static string Line(int writer, int line) => $"writer {writer}, line {line}";

    private static string[] Lines(byte[] content) => Encoding.UTF8.GetString(content).Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
