using System.CommandLine;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Gateway.Cli.Tsdb;

/// <summary><c>tsdb import</c>: blocks of Prometheus, Thanos and Mimir become a tenant's, while no server runs on the data directory.</summary>
internal static class ImportCommand
{
    private const string Keep = "keep";
    private const string Drop = "drop";

    /// <summary>Builds the command.</summary>
    public static Command Build(ClusterOpener open, TextWriter output, TextWriter error)
    {
        var at = new BlockPlaceOptions();
        var tenant = new Option<string>("--tenant") { Description = "The tenant, made if it is not there.", HelpName = "TENANT", Required = true };
        var labels = new Option<string>("--external-labels")
        {
            Description = "Whether series get the labels of a block's thanos section: keep or drop.",
            DefaultValueFactory = _ => Keep,
        };
        labels.AcceptOnlyFromAmong(Keep, Drop);
        var file = new Option<string?>("--config-file") { Description = "The server's YAML file.", HelpName = "FILE" };
        var data = new Option<string?>("--data-dir") { Description = "The server's data directory.", HelpName = "FOLDER" };
        var shards = new Option<string?>("--storage-shards-per-tenant") { Description = "Shards that a new tenant begins with, a power of two; 0 for as many as there are processors.", HelpName = "N" };
        var command = new Command("import", "Brings blocks into a tenant of a stopped server's data directory; a server started on it then serves and publishes them.")
        {
            tenant, labels, file, data, shards,
        };
        at.AddTo(command);
        command.SetAction((parsed, stop) => TsdbCommands.RunAsync(error, async () =>
        {
            var given = new List<(Setting, string[])>();
            Add(given, "--data-dir", parsed.GetValue(data));
            Add(given, "--storage-shards-per-tenant", parsed.GetValue(shards));
            if (!TenantId.TryParse(parsed.GetRequiredValue(tenant), out var id, out var reason))
            {
                throw new CommandException(ExitCode.Usage, $"--tenant: {reason}");
            }

            var options = ServeCommand.ReadOptions(parsed.GetValue(file), given);
            await using var place = await at.OpenAsync(parsed, stop);
            return await ImportAsync(place, id, parsed.GetValue(labels) == Keep, options, open, output, error, stop);
        }));
        return command;
    }

    private static void Add(List<(Setting Setting, string[] Texts)> given, string flag, string? text)
    {
        if (text is not null)
        {
            given.Add((SettingCatalog.All.Single(s => s.Flag == flag), [text]));
        }
    }

    private static async Task<int> ImportAsync(
        BlockPlace place, TenantId tenant, bool keepLabels, GatewayOptions options, ClusterOpener open, TextWriter output, TextWriter error, CancellationToken stop)
    {
        using var loggers = LoggerFactory.Create(_ => { });
        await using var cluster = await open(options, ServeProcess.EngineOptionsOf(options), loggers, stop);
        var import = await BlockImport.BeginAsync(cluster, options.Storage.DataDir, tenant, keepLabels, stop);
        int imported = 0, failed = 0;
        foreach (var from in place.Readable(error))
        {
            if (from.IsMarkedForDeletion)
            {
                await output.WriteLineAsync($"{from.Name}: left out, it is marked for deletion");
                continue;
            }

            try
            {
                using var block = BlockReader.Open(await from.FetchAsync(stop));
                var done = import.Import(block, stop);
                var again = done.AlreadyThere > 0 ? $", {done.AlreadyThere} parts were there" : "";
                await output.WriteLineAsync($"{block.Meta.Ulid}: {done.Series} series, {done.Samples} samples in {done.Parts} shards{again}");
                imported++;
            }
            catch (InvalidDataException e)
            {
                failed++;
                await error.WriteLineAsync($"metrics: {from.Name} was left out: {e.Message}");
            }
            finally
            {
                from.Release();
            }
        }

        await output.WriteLineAsync($"{imported} of {place.Blocks.Count} blocks imported into tenant {tenant}");
        return failed == 0 ? ExitCode.Ok : ExitCode.Failure;
    }
}
