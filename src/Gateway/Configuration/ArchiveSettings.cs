namespace Metrics.Gateway.Configuration;

/// <summary>How chunks of floats are encoded.</summary>
public enum FloatEncoding
{
    /// <summary>Packed integers, with times that series share.</summary>
    Dense,

    /// <summary>As Prometheus does.</summary>
    Xor,
}

/// <summary>Where blocks go for long, and what becomes of them there.</summary>
public sealed class ArchiveSettings
{
    /// <summary>Thanos's file, because its users have one. Empty: blocks stay in the folder <c>bucket</c> of the data directory.</summary>
    [Setting("File that names the object storage, in Thanos's objstore.config format; empty for a folder in the data folder.", Flag = "objstore.config-file")]
    public string ObjstoreConfigFile { get; set; } = "";

    /// <summary>The same as text, as Thanos has it; one of the two.</summary>
    [Setting("The same as YAML text instead of a file.", Flag = "objstore.config", IsSecret = true)]
    public string ObjstoreConfig { get; set; } = "";

    /// <summary>How soon after a cut a block is in object storage.</summary>
    [Setting("How often blocks are uploaded, compacted and removed as far as due.", Min = "1s", Max = "1h")]
    public TimeSpan WorkEvery { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The steps by which compaction widens blocks. Prometheus's and Mimir's 12 h and a day, then a week, so that a year is 52 blocks a shard.</summary>
    [Setting("Time that blocks cover after each step of compaction, ascending.")]
    public IReadOnlyList<string> CompactionRanges { get; set; } = ["12h", "1d", "7d"];

    /// <summary>Dense takes a fifth to a third of XOR's bytes and is decoded several times faster; other programs can't read it.</summary>
    [Setting("How floats are encoded in blocks: dense, or xor where Prometheus or Thanos reads the bucket.")]
    public FloatEncoding ChunkEncoding { get; set; } = FloatEncoding.Dense;

    /// <summary>For the longest query that may still read a block that compaction has replaced.</summary>
    [Setting("How long blocks that were replaced or expired stay in object storage.", Min = "0", Max = "30d")]
    public TimeSpan DeleteDelay { get; set; } = TimeSpan.FromMinutes(30);

    /// <summary>Beyond what any upload takes.</summary>
    [Setting("Age at which an upload that was never finished is removed.", Min = "0", Max = "30d")]
    public TimeSpan OrphanGrace { get; set; } = TimeSpan.FromHours(24);

    /// <summary>Pages of blocks in S3 that stay on the local disk.</summary>
    [Setting("What was read of blocks in remote object storage and stays on the local disk, at most.", Min = "1MiB", Max = "100000GiB")]
    public ByteSize CacheSize { get; set; } = ByteSize.MiB(10 * 1024);

    /// <summary>Answers of blocks about their labels: variables of a dashboard that looks at months then ask only the newest blocks anew. A thousand answers of a thousand values.</summary>
    [Setting("Memory for label names, values and series that blocks were asked for; 0 keeps none.", Min = "0", Max = "1000GiB")]
    public ByteSize LabelCacheSize { get; set; } = ByteSize.MiB(64);

    /// <summary>Bytes of blocks that a shard keeps; the oldest go first. 0, as nothing is deleted that nobody asked to delete.</summary>
    [Setting("The most bytes of blocks for each shard, oldest dropped first; 0 keeps all.", Min = "0", Max = "100000GiB")]
    public ByteSize RetentionSize { get; set; } = new(0);

    /// <summary>The ranges, parsed.</summary>
    /// <exception cref="ConfigurationException">One is no duration, or they don't ascend by multiples.</exception>
    public IReadOnlyList<TimeSpan> Ranges(TimeSpan blockRange)
    {
        var ranges = new List<TimeSpan>();
        foreach (var text in CompactionRanges)
        {
            var before = ranges.Count == 0 ? blockRange : ranges[^1];
            if (DurationText.TryParse(text, out var ms) && ms <= blockRange.TotalMilliseconds)
            {
                continue; // What is cut is as wide already.
            }

            if (ms <= before.TotalMilliseconds || ms % (long)before.TotalMilliseconds != 0)
            {
                throw new ConfigurationException($"archive.compaction_ranges: got \"{text}\", want durations that are each a multiple of the one before, from storage.block_range ({DurationText.Format(blockRange)}) on");
            }

            ranges.Add(TimeSpan.FromMilliseconds(ms));
        }

        return ranges;
    }
}
