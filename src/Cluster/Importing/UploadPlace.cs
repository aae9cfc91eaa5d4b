using System.Text.RegularExpressions;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>Where the files of a block lie in object storage while it is uploaded: any gateway may take any of them.</summary>
/// <remarks>
/// <code>
///   &lt;tenant&gt;/imports/&lt;ulid&gt;/
///     uploading-meta.json      what its meta.json will be; says which files are to come, and how large
///     index, chunks/000001...  as they come
///     outcome.json             what became of it; stays for a day after the rest has gone
/// </code>
/// There is no <c>meta.json</c>, so that no program takes it for a block.
/// </remarks>
internal sealed partial class UploadPlace(IObjectStore store, TenantId tenant, Ulid ulid)
{
    /// <summary>Bytes of a block's description.</summary>
    public const int MetaBytesMax = 1 << 20;

    private const int OutcomeBytesMax = 64 * 1024;
    private const string Meta = "uploading-meta.json";
    private const string Outcome = "outcome.json";

    private string Prefix => Folder(tenant) + ulid + "/";

    /// <summary>The folder of all uploads of a tenant, ending in a slash.</summary>
    public static string Folder(TenantId tenant) => $"{tenant}/imports/";

    /// <summary>True for the path of a file of a block, other than <c>meta.json</c>.</summary>
    public static bool IsFile(string path) => FilePath().IsMatch(path);

    /// <summary>Begins: notes what is to come, and forgets what became of an upload before.</summary>
    public async Task BeginAsync(BlockMeta meta, CancellationToken cancellation)
    {
        await store.PutAsync(Prefix + Meta, meta.ToJson(), PutCondition.None, cancellation);
        await store.DeleteAsync(Prefix + Outcome, cancellation);
    }

    /// <summary>What is to come; null when no upload was begun.</summary>
    public async Task<BlockMeta?> FindMetaAsync(CancellationToken cancellation) =>
        await store.GetAsync(Prefix + Meta, MetaBytesMax * 2, cancellation) is { } found ? BlockMeta.Parse(found.Content, Prefix + Meta) : null;

    /// <summary>What became of it, or becomes; null while files are coming.</summary>
    public async Task<UploadOutcome?> FindOutcomeAsync(CancellationToken cancellation) =>
        await store.GetAsync(Prefix + Outcome, OutcomeBytesMax, cancellation) is { } found ? UploadOutcome.Read(found.Content, Prefix + Outcome) : null;

    /// <summary>Writes down what became of it.</summary>
    public async Task SetOutcomeAsync(UploadOutcome outcome, CancellationToken cancellation) => await store.PutAsync(Prefix + Outcome, outcome.ToJson(), PutCondition.None, cancellation);

    /// <summary>Keeps a file.</summary>
    public ValueTask PutAsync(string path, string local, CancellationToken cancellation) => store.UploadAsync(Prefix + path, local, cancellation);

    /// <summary>The files of the block that are not there in the size that was announced.</summary>
    public async Task<List<string>> MissingAsync(BlockMeta meta, CancellationToken cancellation)
    {
        var missing = new List<string>();
        foreach (var file in FilesOf(meta))
        {
            if (await store.FindAsync(Prefix + file.RelPath, cancellation) is not { } there || there.Length != file.SizeBytes)
            {
                missing.Add(file.RelPath);
            }
        }

        return missing;
    }

    /// <summary>Copies the block into a folder of this machine.</summary>
    public async Task FetchAsync(BlockMeta meta, string folder, CancellationToken cancellation)
    {
        foreach (var file in FilesOf(meta))
        {
            await BlockCopy.FileAsync(store, Prefix + file.RelPath, file.SizeBytes ?? 0, Path.Combine(folder, file.RelPath), cancellation);
        }

        await File.WriteAllBytesAsync(Path.Combine(folder, BlockMeta.FileName), meta.ToJson(), cancellation);
    }

    /// <summary>Removes all but what became of it.</summary>
    public async Task RemoveFilesAsync(CancellationToken cancellation)
    {
        var keys = new List<string>();
        await foreach (var file in store.ListAsync(Prefix, cancellation))
        {
            if (file.Key != Prefix + Outcome)
            {
                keys.Add(file.Key);
            }
        }

        foreach (var key in keys)
        {
            await store.DeleteAsync(key, cancellation);
        }
    }

    /// <summary>The files that a description announces, without itself.</summary>
    public static IEnumerable<ThanosFile> FilesOf(BlockMeta meta) => (meta.Thanos?.Files ?? []).Where(f => f.RelPath != BlockMeta.FileName);

    [GeneratedRegex("^(index|tombstones|chunks/[0-9]{6})$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex FilePath();
}
