using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using System.Threading.Channels;
using Metrics.SideBySide;
using Metrics.Wire;

namespace Metrics.TenantBench;

/// <summary>A neighbour that sends a hundred times what it may, at a steady rate whatever it is told: samples over its rate, series over its number, bodies over its size, and what is no body at all.</summary>
internal static class Flood
{
    /// <summary>The neighbour's name.</summary>
    public const string Tenant = "flood";

    /// <summary>Its limits, as the overrides file has them. No limit on requests: refusing one before its body is read would spare the server the rest.</summary>
    public const string Limits = "{ingestion_rate: 5000, ingestion_burst_size: 10000, max_global_series_per_user: 1000, request_size: 1MiB}";

    /// <summary>Requests of each kind a second: 500,000 samples, of them 15,000 of new series; half a gigabyte of bodies; 300 that are nothing.</summary>
    private static readonly (string Kind, double PerSecond)[] rates = [("rate", 97), ("series", 30), ("big", 5), ("bomb", 3), ("bad", 300)];

    private const int Connections = 16;

    /// <summary>Sends until the input ends; gives what was sent and answered, in a line.</summary>
    public static async Task<string> RunAsync(Uri server, Func<Task> untilStopped)
    {
        var bodies = Bodies();
        using var client = new TenantClient(server, Tenant, Connections);
        using var stop = new CancellationTokenSource();
        var answers = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        var due = Channel.CreateBounded<string>(new BoundedChannelOptions(1000) { FullMode = BoundedChannelFullMode.DropWrite }, _ => Count(answers, "not sent in time"));
        var workers = Enumerable.Range(0, Connections).Select(_ => Task.Run(async () =>
        {
            await foreach (var kind in due.Reader.ReadAllAsync())
            {
                Count(answers, $"{kind} {await SendAsync(client, kind, bodies)}");
            }
        })).ToList();
        var clock = Stopwatch.StartNew();
        var pacing = PaceAsync(due.Writer, stop.Token);
        await untilStopped();
        await stop.CancelAsync();
        await pacing;
        due.Writer.Complete();
        await Task.WhenAll(workers);
        return string.Join(", ", answers.OrderBy(a => a.Key, StringComparer.Ordinal).Select(a => $"{a.Key}: {a.Value / clock.Elapsed.TotalSeconds:F0}/s"));
    }

    private static void Count(ConcurrentDictionary<string, int> counts, string what) => counts.AddOrUpdate(what, 1, static (_, n) => n + 1);

    private static async Task PaceAsync(ChannelWriter<string> due, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        var clock = Stopwatch.StartNew();
        var sent = new double[rates.Length];
        while (!stop.IsCancellationRequested)
        {
            for (var i = 0; i < rates.Length; i++)
            {
                for (; sent[i] < clock.Elapsed.TotalSeconds * rates[i].PerSecond; sent[i]++)
                {
                    due.TryWrite(rates[i].Kind);
                }
            }

            await timer.WaitForNextTickAsync(CancellationToken.None);
        }
    }

    private static async Task<string> SendAsync(TenantClient client, string kind, Dictionary<string, List<ReadOnlyMemory<byte>>> bodies)
    {
        var of = bodies[kind];
        var body = of[(int)(Stopwatch.GetTimestamp() % of.Count)];
        try
        {
            var (status, _) = await client.WriteAsync(body);
            return status.ToString(System.Globalization.CultureInfo.InvariantCulture);
        }
        catch (HttpRequestException)
        {
            // Refused while the body was still on its way.
            return "cut off";
        }
    }

    private static Dictionary<string, List<ReadOnlyMemory<byte>>> Bodies()
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        var random = new Random(1);
        using var writer = new WriteRequestWriter();
        var bodies = new Dictionary<string, List<ReadOnlyMemory<byte>>>(StringComparer.Ordinal) { ["rate"] = [], ["series"] = [], ["big"] = [new byte[100 << 20]], ["bomb"] = [], ["bad"] = [] };
        for (var i = 0; i < 20; i++)
        {
            bodies["rate"].AddRange(new ChurningScrapes(ChurningScrapes.SamplesPerBody, now, seed: i).Bodies(0));
        }

        for (var i = 0; i < 200; i++)
        {
            writer.Clear();
            for (var n = 0; n < 500; n++)
            {
                writer.BeginSeries();
                writer.AddLabel("__name__"u8, "requests_total"u8);
                writer.AddLabel("id"u8, Encoding.ASCII.GetBytes($"{i}-{n}-{random.NextInt64():x}"));
                writer.AddSample(now, n);
                writer.EndSeries();
            }

            bodies["series"].Add(Compressed(writer.Written));
        }

        // Under a mebibyte as sent, over a hundred as said.
        bodies["bomb"].Add(Compressed(new byte[16 << 20]));
        bodies["bomb"].Add(new byte[] { 0x80, 0x80, 0x80, 0x80, 0x04, 0 });
        for (var i = 0; i < 50; i++)
        {
            var bad = new byte[random.Next(1, 20_000)];
            random.NextBytes(bad);
            bodies["bad"].Add(bad);
            bodies["bad"].Add(Compressed(bad));
            bodies["bad"].Add(bodies["rate"][i % 20][..random.Next(1, 10_000)]);
        }

        return bodies;
    }

    private static byte[] Compressed(ReadOnlySpan<byte> message)
    {
        var body = new byte[SnappyEncoder.MaxEncodedLength(message.Length)];
        return body[..SnappyEncoder.Encode(message, body)];
    }
}
