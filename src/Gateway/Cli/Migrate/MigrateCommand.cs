using System.CommandLine;
using Metrics.Gateway.Cli.Tsdb;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.QueryApi;
using Metrics.Model;
using Metrics.PromQL.Parsing;

namespace Metrics.Gateway.Cli.Migrate;

/// <summary><c>migrate</c>: what another running server has becomes a tenant's of a running server, window by window, as blocks.</summary>
internal static class MigrateCommand
{
    /// <summary>Every series, in a form that needs no label to be there but the name.</summary>
    private const string Everything = "{__name__!=\"\"}";

    /// <summary>Builds the commands.</summary>
    public static Command Build(TextWriter output, TextWriter error) => new("migrate", "Copies what another running server has into a tenant of a running server.")
    {
        BuildFrom("victoria-metrics", "From VictoriaMetrics (/api/v1/export); of a cluster its vmselect with /select/ACCOUNT/prometheus.", (http, _) => new VictoriaMetricsExport(http), output, error),
        BuildFrom("remote-read", "From whatever answers Prometheus's remote read: Prometheus, Mimir, Thanos.", (http, tenant) => new RemoteReadSource(http, tenant), output, error),
    };

    private static Command BuildFrom(string name, string description, Func<HttpClient, string, ISampleSource> open, TextWriter output, TextWriter error)
    {
        var from = new ServerConnection("--from", "The server that has the samples; /api/v1/... follows.", null);
        var to = new ServerConnection("--url", "The server that gets them: this program's, or Mimir.", "http://localhost:10902");
        var fromTenant = new Option<string>("--from-tenant") { Description = "Whose samples, as X-Scope-OrgID.", HelpName = "TENANT", DefaultValueFactory = _ => "" };
        var tenant = new Option<string>("--tenant") { Description = "The tenant that gets them, made if it is not there.", HelpName = "TENANT", Required = true };
        var match = TsdbCommands.Match();
        var start = new Option<string>("--start") { Description = "The first instant, RFC 3339 or Unix seconds.", HelpName = "TIME", Required = true };
        var end = new Option<string?>("--end") { Description = "The last instant; now when not given.", HelpName = "TIME" };
        var window = new Option<string>("--window") { Description = "How much is asked for at a time, and becomes one block: what is in it must fit in memory.", HelpName = "DURATION", DefaultValueFactory = _ => "2h" };
        var temporary = new Option<string>("--temp-dir") { Description = "Where blocks are put until they are uploaded.", HelpName = "FOLDER", DefaultValueFactory = _ => Path.GetTempPath() };
        var command = new Command(name, description) { fromTenant, tenant, match, start, end, window, temporary };
        from.AddTo(command);
        to.AddTo(command);
        command.SetAction((parsed, stop) => TsdbCommands.RunAsync(error, async () =>
        {
            if (!TenantId.TryParse(parsed.GetRequiredValue(tenant), out var id, out var reason))
            {
                throw new CommandException(ExitCode.Usage, $"--tenant: {reason}");
            }

            var selectors = parsed.GetRequiredValue(match);
            TsdbCommands.Selections(selectors);
            var range = new TimeRange(Time(parsed.GetRequiredValue(start), "--start"), parsed.GetValue(end) is { } text ? Time(text, "--end") : TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds());
            if (!PromDuration.TryParse(parsed.GetRequiredValue(window), out var windowMs, out var wrong) || windowMs <= 0)
            {
                throw new CommandException(ExitCode.Usage, $"--window {parsed.GetValue(window)}: {wrong}");
            }

            using var source = from.Open(parsed);
            using var target = to.Open(parsed);
            var folder = Path.Combine(parsed.GetRequiredValue(temporary), $"metrics-migrate-{Path.GetRandomFileName()}");
            var migration = new Migration(open(source, parsed.GetRequiredValue(fromTenant)), selectors.Length == 0 ? [Everything] : selectors, new BlockUploadClient(target, id.Value, TimeProvider.System), folder, TimeProvider.System);
            return await RunAsync(migration, range, windowMs, output, stop);
        }));
        return command;
    }

    private static async Task<int> RunAsync(Migration migration, TimeRange range, long windowMs, TextWriter output, CancellationToken stop)
    {
        long total = 0;
        try
        {
            foreach (var window in Migration.Windows(range, windowMs))
            {
                var (series, samples) = await migration.CopyAsync(window, stop);
                if (samples > 0)
                {
                    await output.WriteLineAsync($"{DateTimeOffset.FromUnixTimeMilliseconds(window.MinMs):u} to {DateTimeOffset.FromUnixTimeMilliseconds(window.MaxMs):u}: {series} series, {samples} samples");
                }

                total += samples;
            }
        }
        catch (IOException e)
        {
            throw new CommandException(ExitCode.Failure, $"stopped after {total} samples: {e.Message}", e);
        }

        await output.WriteLineAsync($"{total} samples");
        return ExitCode.Ok;
    }

    private static long Time(string text, string option) =>
        TimeText.TryParseTime(text, out var timeMs) ? timeMs : throw new ConfigurationException($"{option} {text}; allowed is RFC 3339 or Unix seconds");
}
