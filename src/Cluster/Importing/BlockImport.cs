using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>Brings blocks of Prometheus, Thanos and Mimir into a tenant: each is split by the shards' hash ranges and waits in their <c>pending</c> folders for its upload.</summary>
/// <remarks>
/// Runs while this process holds the data directory. Parts are written beside <c>pending</c> first and moved there together, so that a block which turns out to be damaged leaves nothing.
/// A shard sees them when it is opened next. Importing a block again changes nothing: its parts have the same names and the same samples.
/// </remarks>
public sealed class BlockImport
{
    private const string StagingFolder = "importing";

    private readonly TenantId tenant;
    private readonly bool keepExternalLabels;
    private readonly List<HashRange> ranges;
    private readonly List<string> folders;

    private BlockImport(TenantId tenant, bool keepExternalLabels, List<HashRange> ranges, List<string> folders)
    {
        this.tenant = tenant;
        this.keepExternalLabels = keepExternalLabels;
        this.ranges = ranges;
        this.folders = folders;
    }

    /// <summary>Prepares an import into a tenant, which is made if it is not there.</summary>
    /// <param name="cluster">The cluster over the data directory, opened by this process.</param>
    /// <param name="dataDirectory">Its data directory.</param>
    /// <param name="tenant">The tenant.</param>
    /// <param name="keepExternalLabels">Whether series get the labels of the block's <c>thanos</c> section; those that begin with <c>__</c>, and our own, are never added.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="ShardUnavailableException">The tenant cannot be made.</exception>
    public static async Task<BlockImport> BeginAsync(ICluster cluster, string dataDirectory, TenantId tenant, bool keepExternalLabels, CancellationToken cancellation)
    {
        var opened = await cluster.OpenTenantAsync(tenant, cancellation);
        var owned = opened.Shards.Select(s => s.Id.Range).ToList();
        var places = owned.ConvertAll(r => DataDirectory.FolderOf(dataDirectory, new ShardId(tenant, r)));
        var import = new BlockImport(tenant, keepExternalLabels, owned, places);
        import.ClearStaging();
        return import;
    }

    /// <summary>Imports one block; gives what came of it.</summary>
    /// <exception cref="InvalidDataException">The block is damaged; nothing of it was imported.</exception>
    /// <exception cref="IOException">A file cannot be read or written.</exception>
    public ImportedBlock Import(BlockReader block, CancellationToken cancellation)
    {
        var parts = new List<(string From, string To)>();
        var imported = new ImportedBlock(0, 0, 0, 0);
        using var split = new BlockSplit(block, ranges, ImportedPart.ExternalLabels(block.Meta, keepExternalLabels), cancellation);
        try
        {
            for (var i = 0; i < ranges.Count; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                var name = BlockSplit.NameOf(block.Meta.Ulid, ranges[i]).ToString();
                var target = Path.Combine(folders[i], ShardArchive.PendingFolder, name);
                if (Directory.Exists(target))
                {
                    imported = imported with { AlreadyThere = imported.AlreadyThere + 1 };
                    continue;
                }

                var staging = Path.Combine(folders[i], StagingFolder);
                Directory.CreateDirectory(staging);
                if (split.Write(i, staging, ImportedPart.Description(block.Meta, new ShardId(tenant, ranges[i])), cancellation) is { } meta)
                {
                    parts.Add((Path.Combine(staging, name), target));
                    imported = imported with { Parts = imported.Parts + 1, Series = imported.Series + meta.Stats.NumSeries, Samples = imported.Samples + meta.Stats.NumSamples };
                }
            }

            Publish(parts);
            return imported;
        }
        finally
        {
            ClearStaging();
        }
    }

    private void ClearStaging()
    {
        foreach (var folder in folders)
        {
            var staging = Path.Combine(folder, StagingFolder);
            if (Directory.Exists(staging))
            {
                Directory.Delete(staging, recursive: true);
            }
        }
    }

    private static void Publish(List<(string From, string To)> parts)
    {
        foreach (var (from, to) in parts)
        {
            var pending = Path.GetDirectoryName(to)!;
            Directory.CreateDirectory(pending);
            Directory.Move(from, to);
            DurableFile.FlushFolder(pending);
        }
    }
}

/// <summary>What came of importing a block.</summary>
/// <param name="Parts">New blocks, at most one a shard.</param>
/// <param name="Series">Series in them.</param>
/// <param name="Samples">Samples in them.</param>
/// <param name="AlreadyThere">Parts that an import before had left waiting.</param>
public sealed record ImportedBlock(int Parts, ulong Series, ulong Samples, int AlreadyThere);
