using System.Diagnostics;
using System.Globalization;
using Metrics.Blocks;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;
using Metrics.Testing;
using MatchType = Metrics.Model.MatchType;

// What blocks cost: cutting, merging and downsampling in samples a second and peak memory, bytes a sample on disk, requests and bytes of a query over object storage.
// Usage: Blocks [series = 20000] [dense | xor], or Blocks shapes [scrapes = 480]: bytes a sample by kind of series
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args is ["shapes", ..])
{
    var folder = Directory.CreateTempSubdirectory("metrics-bench-shapes-").FullName;
    ShapeBytes.Print(folder, args.Length > 1 ? int.Parse(args[1]) : 480);
    Directory.Delete(folder, recursive: true);
    return;
}

var encoding = args.Length > 1 && args[1] == "xor" ? ChunkEncoding.Xor : ChunkEncoding.Dense;
var seriesCount = args.Length > 0 ? int.Parse(args[0]) : 20_000;
const int Ranges = 6;
const int ScrapesPerRange = 480;
var root = Directory.CreateTempSubdirectory("metrics-bench-blocks-").FullName;
try
{
    var series = new KubernetesSeries().Take(seriesCount);
    var bodies = new ScrapeBodies(series, firstTimeMs: 1_699_920_000_000);
    Console.WriteLine($"{seriesCount:N0} series, {Ranges} blocks of {ScrapesPerRange} scrapes\n\n| | samples/s | peak RSS, MiB | bytes a sample: chunks / index |\n|---|---|---|---|");

    var blocks = new List<BlockReader>();
    var cutSeconds = 0.0;
    for (var range = 0; range < Ranges; range++)
    {
        using var head = new Head(new HeadOptions());
        var references = Array.ConvertAll(series, labels => head.GetOrCreate(labels.Encoded, labels.Hash, out _));
        for (var scrape = range * ScrapesPerRange; scrape < (range + 1) * ScrapesPerRange; scrape++)
        {
            var time = bodies.TimeOf(scrape);
            for (var i = 0; i < references.Length; i++)
            {
                head.Append(references[i], time, bodies.ValueOf(i, scrape));
            }
        }

        ResetPeak();
        var began = Stopwatch.GetTimestamp();
        using var view = head.OpenView()!;
        using var writer = new BlockWriter(root, Ulid.New(TimeProvider.System, new Random(range)), new BlockDescription { FloatEncoding = encoding });
        HeadCut.Write(view, TimeRange.All, writer, CancellationToken.None);
        var meta = writer.Finish();
        cutSeconds += Stopwatch.GetElapsedTime(began).TotalSeconds;
        blocks.Add(BlockReader.Open(Path.Combine(root, meta.Ulid.ToString())));
    }

    var samples = (double)seriesCount * ScrapesPerRange * Ranges;
    Report("cut from the head", samples, cutSeconds, blocks);

    var merged = Measured("merge of six", samples, request => Assert(BlockMerge.Run([.. blocks.Select(b => new MergeInput(b, []))], request, CancellationToken.None)[0]));
    using (Measured("merge of one, whole chunks copied", samples, request => Assert(BlockMerge.Run([new MergeInput(merged, [])], request, CancellationToken.None)[0])))
    {
        // Only measured.
    }

    Measured("downsample to 5 min", samples, request => Assert(Downsample.Run(new MergeInput(merged, []), 300_000, request, CancellationToken.None)));

    var store = FileSystemObjectStore.Open(Path.Combine(root, "bucket"), TimeProvider.System);
    var sizes = new Dictionary<string, long>(StringComparer.Ordinal);
    foreach (var path in Directory.GetFiles(merged.DirectoryPath, "*", SearchOption.AllDirectories))
    {
        var name = Path.GetRelativePath(merged.DirectoryPath, path);
        sizes[name] = new FileInfo(path).Length;
        await store.UploadAsync("t/b/" + name, path, CancellationToken.None);
    }

    Console.WriteLine($"\nThe merged block of {merged.Length / 1048576.0:F1} MiB, through the cache over object storage:\n\n| | requests | KiB asked for | ms |\n|---|---|---|---|");
    using var cache = new BlockCache(store, new BlockCacheOptions { Folder = Path.Combine(root, "cache") }, TimeProvider.System);
    var opening = Stopwatch.GetTimestamp();
    using var remote = cache.Open("t/b/", merged.Meta, sizes);
    Console.WriteLine($"| open | {cache.Requests} | {cache.RequestedBytes / 1024.0:F0} | {Stopwatch.GetElapsedTime(opening).TotalMilliseconds:F1} |");
    var one = series[seriesCount / 2];
    Query("one series, cold", [.. one.Select(l => new Matcher(MatchType.Equal, l.Key, l.Value))]);
    Query("the same, warm", [.. one.Select(l => new Matcher(MatchType.Equal, l.Key, l.Value))]);
    Query("one metric, cold", [new Matcher(MatchType.Equal, "__name__", series[7]["__name__"])]);
    Query("the same, warm", [new Matcher(MatchType.Equal, "__name__", series[7]["__name__"])]);
    blocks.ForEach(b => b.Dispose());
    merged.Dispose();

    void Query(string what, Matcher[] matchers)
    {
        var (requests, bytes, began) = (cache.Requests, cache.RequestedBytes, Stopwatch.GetTimestamp());
        using var found = remote.Select(matchers, TimeRange.All, CancellationToken.None);
        using var buffer = new SampleBuffer();
        for (var i = 0; i < found.Count; i++)
        {
            buffer.Clear();
            found.Read(i, buffer);
        }

        Console.WriteLine($"| {what} ({found.Count} series) | {cache.Requests - requests} | {(cache.RequestedBytes - bytes) / 1024.0:F0} | {Stopwatch.GetElapsedTime(began).TotalMilliseconds:F1} |");
    }
}
finally
{
    Directory.Delete(root, recursive: true);
}

BlockReader Measured(string what, double samples, Func<MergeRequest, BlockMeta> run)
{
    ResetPeak();
    var began = Stopwatch.GetTimestamp();
    var meta = run(new MergeRequest { Directory = root, Time = TimeProvider.System, Description = new BlockDescription { FloatEncoding = encoding } });
    var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
    var block = BlockReader.Open(Path.Combine(root, meta.Ulid.ToString()));
    Report(what, samples, seconds, [block]);
    return block;
}

static BlockMeta Assert(BlockMeta? meta) => meta ?? throw new InvalidOperationException("no block was written");

static void Report(string what, double samples, double seconds, IReadOnlyList<BlockReader> blocks)
{
    var index = blocks.Sum(b => b.Index.Length);
    var chunks = blocks.Sum(b => b.Length) - index;
    Console.WriteLine($"| {what} | {samples / seconds:N0} | {PeakMib():F0} | {chunks / samples:F3} / {index / samples:F3} |");
}

// VmHWM since the last reset.
static double PeakMib() => double.Parse(File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM", StringComparison.Ordinal)).Split(':', StringSplitOptions.TrimEntries)[1].Split(' ')[0]) / 1024;

static void ResetPeak()
{
    GC.Collect();
    File.WriteAllText("/proc/self/clear_refs", "5");
}
