using System.CommandLine;
using System.Globalization;
using System.Text.Json;

namespace Metrics.Gateway.Cli.Cluster;

/// <summary><c>cluster</c>: looks at a running cluster and gives it orders, through any of its gateways.</summary>
internal static class ClusterCommands
{
    /// <summary>Builds the commands.</summary>
    public static Command Build(TextWriter output, TextWriter error) => new("cluster", "Looks at a cluster of silos that runs, moves, splits and merges shards.")
    {
        BuildStatus(output, error),
        BuildMove(output, error),
        BuildDrain(output, error),
        BuildReshard("split", "Splits a shard in the middle of its hash range.", "was split in two", output, error),
        BuildReshard("merge", "Merges a shard with the one that has the other half of the next larger hash range.", "was merged with its neighbour", output, error),
    };

    private static Option<Uri> Url() => new("--url")
    {
        Description = "A gateway of the cluster.",
        HelpName = "URL",
        DefaultValueFactory = static _ => new Uri("http://127.0.0.1:10902"),
        CustomParser = static given =>
        {
            if (Uri.TryCreate(given.Tokens.Count > 0 ? given.Tokens[0].Value : "", UriKind.Absolute, out var url) && url.Scheme is ("http" or "https"))
            {
                return url;
            }

            given.AddError("--url: allowed is a URL with http or https");
            return null;
        },
    };

    private static Command BuildStatus(TextWriter output, TextWriter error)
    {
        var url = Url();
        var json = new Option<bool>("--json") { Description = "Prints what the server answered." };
        var command = new Command("status", "Shows silos and shards: where they are, how much they do, how far their replicas are behind.") { url, json };
        command.SetAction((parsed, stop) => CallAsync(parsed.GetRequiredValue(url), "api/v1/status/cluster?tenants=all", HttpMethod.Get, error, answer =>
        {
            if (parsed.GetValue(json))
            {
                output.WriteLine(answer.GetRawText());
            }
            else
            {
                Print(answer, output);
            }
        }, stop));
        return command;
    }

    private static Command BuildMove(TextWriter output, TextWriter error)
    {
        var url = Url();
        var shard = new Argument<string>("shard") { Description = "The shard, as status shows it: TENANT/RANGE." };
        var to = new Argument<string>("node") { Description = "The node that is to have it." };
        var command = new Command("move", "Hands a shard over to another silo.") { url, shard, to };
        command.SetAction((parsed, stop) =>
        {
            var text = parsed.GetRequiredValue(shard);
            var query = $"api/v1/admin/cluster/move?{ShardQuery(text)}&to={Uri.EscapeDataString(parsed.GetRequiredValue(to))}";
            return CallAsync(parsed.GetRequiredValue(url), query, HttpMethod.Post, error, _ => output.WriteLine($"{text} is on {parsed.GetRequiredValue(to)}"), stop);
        });
        return command;
    }

    private static Command BuildReshard(string name, string description, string done, TextWriter output, TextWriter error)
    {
        var url = Url();
        var shard = new Argument<string>("shard") { Description = "The shard, as status shows it: TENANT/RANGE." };
        var command = new Command(name, description) { url, shard };
        command.SetAction((parsed, stop) =>
        {
            var text = parsed.GetRequiredValue(shard);
            return CallAsync(parsed.GetRequiredValue(url), $"api/v1/admin/cluster/{name}?{ShardQuery(text)}", HttpMethod.Post, error, _ => output.WriteLine($"{text} {done}"), stop);
        });
        return command;
    }

    private static string ShardQuery(string shard)
    {
        var slash = shard.IndexOf('/');
        var (tenant, range) = slash < 0 ? (shard, "all") : (shard[..slash], shard[(slash + 1)..]);
        return $"tenant={Uri.EscapeDataString(tenant)}&range={Uri.EscapeDataString(range)}";
    }

    private static Command BuildDrain(TextWriter output, TextWriter error)
    {
        var url = Url();
        var node = new Argument<string>("node") { Description = "The node, as status shows it." };
        var command = new Command("drain", "Makes a silo hand over all its shards and take none until it is started again.") { url, node };
        command.SetAction((parsed, stop) => CallAsync(
            parsed.GetRequiredValue(url), $"api/v1/admin/cluster/drain?node={Uri.EscapeDataString(parsed.GetRequiredValue(node))}", HttpMethod.Post, error,
            _ => output.WriteLine($"{parsed.GetRequiredValue(node)} owns no shard now"), stop));
        return command;
    }

    private static async Task<int> CallAsync(Uri gateway, string pathAndQuery, HttpMethod method, TextWriter error, Action<JsonElement> print, CancellationToken stop)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromMinutes(15) }; // As long as a drain may take, or a split of a large shard.
        var root = gateway.AbsoluteUri.EndsWith('/') ? gateway : new Uri(gateway.AbsoluteUri + "/");
        try
        {
            using var request = new HttpRequestMessage(method, new Uri(root, pathAndQuery));
            using var answer = await http.SendAsync(request, stop);
            var text = await answer.Content.ReadAsStringAsync(stop);
            if (!answer.IsSuccessStatusCode)
            {
                await error.WriteLineAsync($"metrics: {gateway} answered {(int)answer.StatusCode}: {Reason(text)}");
                return ExitCode.Failure;
            }

            using var document = text.Length == 0 ? JsonDocument.Parse("{}") : JsonDocument.Parse(text);
            print(document.RootElement.TryGetProperty("data", out var data) ? data : document.RootElement);
            return ExitCode.Ok;
        }
        catch (Exception e) when (e is HttpRequestException or JsonException || (e is TaskCanceledException && !stop.IsCancellationRequested))
        {
            await error.WriteLineAsync($"metrics: {gateway}: {e.Message}");
            return ExitCode.Failure;
        }
    }

    private static string Reason(string answer)
    {
        try
        {
            using var document = JsonDocument.Parse(answer);
            return document.RootElement.TryGetProperty("error", out var reason) ? reason.GetString() ?? answer : answer;
        }
        catch (JsonException)
        {
            return answer;
        }
    }

    private static void Print(JsonElement status, TextWriter output)
    {
        var silos = new TextTable("NODE", "ADDRESS", "STATE", "ZONE", "HTTP", "SHARDS", "SERIES", "SAMPLES/S", "CPU", "MEMORY");
        foreach (var silo in status.GetProperty("silos").EnumerateArray())
        {
            silos.Add(
                Text(silo, "node"), Text(silo, "address"), Text(silo, "state") + (silo.TryGetProperty("leaving", out var leaving) && leaving.GetBoolean() ? ", leaving" : ""), Text(silo, "zone"), Text(silo, "http"),
                Number(silo, "shards"), Number(silo, "headSeries"), Number(silo, "samplesPerSecond"), Percent(silo, "cpu"), Percent(silo, "memory"));
        }

        silos.Print(output);
        var shards = new TextTable("SHARD", "OWNER", "STATE", "EPOCH", "SERIES", "SAMPLES/S", "BLOCKS", "LOG", "REPLICAS (RECORDS BEHIND)");
        foreach (var shard in status.GetProperty("shards").EnumerateArray())
        {
            var replicas = shard.GetProperty("replicas").EnumerateArray().Select(static r =>
                $"{Text(r, "node")} ({(r.TryGetProperty("lost", out var lost) ? lost.GetString() : r.GetProperty("lag").GetInt64() + (r.GetProperty("whole").GetBoolean() ? "" : ", copying"))})");
            shards.Add(
                $"{Text(shard, "tenant")}/{Text(shard, "range")}", Text(shard, "owner"), Text(shard, "state"), Number(shard, "epoch"), Number(shard, "headSeries"), Number(shard, "samplesPerSecond"), Number(shard, "blocks"),
                Number(shard, "logBytes"), string.Join(" ", replicas));
        }

        output.WriteLine();
        shards.Print(output);
        if (status.TryGetProperty("moves", out var moves) && moves.GetArrayLength() > 0)
        {
            var table = new TextTable("SHARD", "FROM", "TO", "SINCE");
            foreach (var move in moves.EnumerateArray())
            {
                table.Add($"{Text(move, "tenant")}/{Text(move, "range")}", Text(move, "from"), Text(move, "to"), Text(move, "since"));
            }

            output.WriteLine();
            table.Print(output);
        }

        if (status.TryGetProperty("changes", out var changes) && changes.GetArrayLength() > 0)
        {
            var table = new TextTable("TENANT", "FROM", "TO", "STEP", "SINCE");
            foreach (var change in changes.EnumerateArray())
            {
                table.Add(Text(change, "tenant"), Texts(change, "parents"), Texts(change, "children"), Text(change, "step"), Text(change, "since"));
            }

            output.WriteLine();
            table.Print(output);
        }
    }

    private static string Text(JsonElement of, string name) => of.TryGetProperty(name, out var value) ? value.GetString() ?? "" : "";

    private static string Texts(JsonElement of, string name) => string.Join(" ", of.GetProperty(name).EnumerateArray().Select(static t => t.GetString()));

    private static string Number(JsonElement of, string name) => of.TryGetProperty(name, out var value) ? value.GetRawText() : "-";

    private static string Percent(JsonElement of, string name) => of.TryGetProperty(name, out var value) ? value.GetDouble().ToString("P0", CultureInfo.InvariantCulture) : "-";

    /// <summary>Columns as wide as what is in them.</summary>
    private sealed class TextTable(params string[] head)
    {
        private readonly List<string[]> rows = [head];

        public void Add(params string[] row) => rows.Add(row);

        public void Print(TextWriter output)
        {
            var widths = Enumerable.Range(0, rows[0].Length).Select(c => rows.Max(r => r[c].Length)).ToArray();
            foreach (var row in rows)
            {
                output.WriteLine(string.Join("  ", row.Select((cell, c) => cell.PadRight(widths[c]))).TrimEnd());
            }
        }
    }
}
