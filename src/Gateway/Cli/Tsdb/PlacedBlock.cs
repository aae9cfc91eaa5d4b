using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Gateway.Cli.Tsdb;

/// <summary>A block somewhere.</summary>
internal abstract class PlacedBlock
{
    /// <summary>The mark that Thanos and Mimir leave in a block that is to go.</summary>
    protected const string DeletionMark = "deletion-mark.json";

    /// <summary>What messages call it: its folder.</summary>
    public abstract string Name { get; }

    /// <summary>The bytes of its files.</summary>
    public abstract long Bytes { get; }

    /// <summary>True when Thanos or Mimir will delete it, because another block holds its samples.</summary>
    public abstract bool IsMarkedForDeletion { get; }

    /// <summary>False for one that is being uploaded or removed: <c>meta.json</c> comes last and goes first.</summary>
    public abstract bool IsWhole { get; }

    /// <summary>Its ULID, as its folder says.</summary>
    public string Ulid => Path.GetFileName(Path.TrimEndingDirectorySeparator(Name)).ToUpperInvariant();

    /// <summary>True when it is called so.</summary>
    public bool IsCalled(string ulid) => Ulid.Equals(ulid, StringComparison.OrdinalIgnoreCase);

    /// <summary>Reads what it says of itself.</summary>
    /// <exception cref="InvalidDataException">That is damaged.</exception>
    public abstract ValueTask<BlockMeta> ReadMetaAsync(CancellationToken stop);

    /// <summary>Its folder on this machine; a block of a bucket is copied first.</summary>
    public abstract ValueTask<string> FetchAsync(CancellationToken stop);

    /// <summary>Removes the copy, if there is one.</summary>
    public abstract void Release();
}

/// <summary>A block in a folder.</summary>
internal sealed class LocalBlock(string folder) : PlacedBlock
{
    /// <inheritdoc/>
    public override string Name => folder;

    /// <inheritdoc/>
    public override long Bytes => new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length);

    /// <inheritdoc/>
    public override bool IsWhole => File.Exists(Path.Combine(folder, BlockMeta.FileName));

    /// <inheritdoc/>
    public override bool IsMarkedForDeletion => File.Exists(Path.Combine(folder, DeletionMark));

    /// <inheritdoc/>
    public override ValueTask<BlockMeta> ReadMetaAsync(CancellationToken stop) => ValueTask.FromResult(BlockMeta.Read(folder));

    /// <inheritdoc/>
    public override ValueTask<string> FetchAsync(CancellationToken stop) => ValueTask.FromResult(folder);

    /// <inheritdoc/>
    public override void Release()
    {
        // Nothing was copied.
    }
}

/// <summary>A block in a bucket.</summary>
internal sealed class RemoteBlock(IObjectStore store, string folder, IReadOnlyList<ObjectInfo> objects, string scratch) : PlacedBlock
{
    private const int PieceBytes = 8 << 20;

    private readonly string copy = Path.Combine(scratch, Path.GetFileName(folder));

    /// <inheritdoc/>
    public override string Name => folder;

    /// <inheritdoc/>
    public override long Bytes => objects.Sum(o => o.Length);

    /// <inheritdoc/>
    public override bool IsWhole => objects.Any(o => o.Key.EndsWith("/" + BlockMeta.FileName, StringComparison.Ordinal));

    /// <inheritdoc/>
    public override bool IsMarkedForDeletion => objects.Any(o => o.Key.EndsWith("/" + DeletionMark, StringComparison.Ordinal));

    /// <inheritdoc/>
    public override async ValueTask<BlockMeta> ReadMetaAsync(CancellationToken stop)
    {
        var fetched = Directory.Exists(copy);
        await FetchAsync(o => o == BlockMeta.FileName, stop);
        var meta = BlockMeta.Read(copy);
        if (!fetched)
        {
            Release();
        }

        return meta;
    }

    /// <inheritdoc/>
    public override async ValueTask<string> FetchAsync(CancellationToken stop)
    {
        await FetchAsync(IsOfBlock, stop);
        return copy;
    }

    /// <inheritdoc/>
    public override void Release()
    {
        if (Directory.Exists(copy))
        {
            Directory.Delete(copy, recursive: true);
        }
    }

    // What else lies there, marks and caches, is no part of the block.
    private static bool IsOfBlock(string path) =>
        path is BlockMeta.FileName or BlockReader.IndexFileName or Tombstones.FileName
        || (path.StartsWith("chunks/", StringComparison.Ordinal) && path.AsSpan("chunks/".Length).IndexOfAnyExceptInRange('0', '9') < 0);

    private async ValueTask FetchAsync(Predicate<string> wanted, CancellationToken stop)
    {
        Directory.CreateDirectory(copy);
        foreach (var from in objects)
        {
            var path = from.Key[(folder.Length + 1)..];
            if (!wanted(path))
            {
                continue;
            }

            var to = Path.Combine(copy, path);
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            await using var file = new FileStream(to, FileMode.Create, FileAccess.Write, FileShare.None, 1);
            var piece = new byte[(int)Math.Clamp(from.Length, 1, PieceBytes)];
            long at = 0;
            for (var read = await store.ReadAsync(from.Key, 0, piece, stop); read > 0; read = at < from.Length ? await store.ReadAsync(from.Key, at, piece, stop) : 0)
            {
                await file.WriteAsync(piece.AsMemory(0, read), stop);
                at += read;
            }
        }
    }
}
