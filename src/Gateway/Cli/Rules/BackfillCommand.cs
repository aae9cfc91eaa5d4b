using System.CommandLine;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.QueryApi;
using Metrics.Gateway.Rules;
using Metrics.PromQL;
using Metrics.PromQL.Parsing;
using Metrics.Rules;

namespace Metrics.Gateway.Cli.Rules;

/// <summary><c>rules backfill</c>: blocks of what recording rules would have recorded, as <c>promtool tsdb create-blocks-from rules</c> makes them.</summary>
internal static class BackfillCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Build(TextWriter output, TextWriter error)
    {
        var files = new Argument<string[]>("FILE") { Description = "Rule files; alerts in them are left out.", Arity = ArgumentArity.OneOrMore };
        var start = new Option<string>("--start") { Description = "The first instant, RFC 3339 or Unix seconds.", HelpName = "TIME", Required = true };
        var end = new Option<string?>("--end") { Description = "The last instant; three hours ago when not given, as newer data may still change.", HelpName = "TIME" };
        var url = new Option<string>("--url") { Description = "The server to ask.", HelpName = "URL", DefaultValueFactory = _ => "http://localhost:10902" };
        var tenant = new Option<string>("--tenant") { Description = "Whose data to ask for.", HelpName = "TENANT", DefaultValueFactory = _ => "" };
        var folder = new Option<string>("--output-dir") { Description = "Where blocks are put; tsdb import takes them from there.", HelpName = "FOLDER", DefaultValueFactory = _ => "data" };
        var interval = new Option<string>("--eval-interval") { Description = "The interval of groups that name none.", HelpName = "DURATION", DefaultValueFactory = _ => "60s" };
        var command = new Command("backfill", "Evaluates recording rules over past data and writes blocks of the results.") { files, start, end, url, tenant, folder, interval };
        command.SetAction(async (parsed, stop) =>
        {
            try
            {
                var range = RangeOf(parsed.GetRequiredValue(start), parsed.GetValue(end), parsed.GetRequiredValue(interval), TimeProvider.System);
                if (!Uri.TryCreate(parsed.GetRequiredValue(url).TrimEnd('/') + "/", UriKind.Absolute, out var server))
                {
                    throw new ConfigurationException($"--url {parsed.GetValue(url)}; allowed is a URL such as http://localhost:10902");
                }

                using var http = new HttpClient { BaseAddress = server, Timeout = TimeSpan.FromMinutes(5) };
                return await RunAsync(
                    parsed.GetRequiredValue(files), range, new PrometheusRangeQuery(http, parsed.GetRequiredValue(tenant)), parsed.GetRequiredValue(folder), output, stop);
            }
            catch (Exception e) when (e is QueryException or RuleQueryException)
            {
                await error.WriteLineAsync($"metrics: {e.Message}");
                return ExitCode.Failure;
            }
        });
        return command;
    }

    private static async Task<int> RunAsync(string[] files, BackfillRange range, IRuleRangeQuery query, string folder, TextWriter output, CancellationToken stop)
    {
        var groups = RuleSettings.ReadFiles(files, ParseOptions.All);
        Directory.CreateDirectory(folder);
        var blocks = new BackfillBlocks(folder, TimeProvider.System);
        var samples = await RuleBackfill.RunAsync(groups, range, query, blocks, async chunk =>
        {
            if (blocks.Flush() is { } block)
            {
                await output.WriteLineAsync($"{block}: {DateTimeOffset.FromUnixTimeMilliseconds(chunk.MinMs):u} to {DateTimeOffset.FromUnixTimeMilliseconds(chunk.MaxMs):u}");
            }
        }, stop);
        await output.WriteLineAsync($"{samples} samples");
        return ExitCode.Ok;
    }

    private static BackfillRange RangeOf(string start, string? end, string interval, TimeProvider time)
    {
        if (!TimeText.TryParseTime(start, out var startMs))
        {
            throw new ConfigurationException($"--start {start}; allowed is RFC 3339 or Unix seconds");
        }

        long endMs;
        if (end is null)
        {
            endMs = time.GetUtcNow().AddHours(-3).ToUnixTimeMilliseconds();
        }
        else if (!TimeText.TryParseTime(end, out endMs))
        {
            throw new ConfigurationException($"--end {end}; allowed is RFC 3339 or Unix seconds");
        }

        if (endMs < startMs)
        {
            throw new ConfigurationException("start time is not before end time");
        }

        return PromDuration.TryParse(interval, out var intervalMs, out var wrong) && intervalMs > 0
            ? new BackfillRange(startMs, endMs, intervalMs)
            : throw new ConfigurationException($"--eval-interval {interval}: {wrong}");
    }
}
