using System.CommandLine;
using Metrics.Model;

namespace Metrics.Gateway.Cli.Tsdb;

/// <summary><c>tsdb upload</c>: blocks of Prometheus, Thanos and Mimir become a tenant's of a running server.</summary>
internal static class UploadCommand
{
    private const string Keep = "keep";
    private const string Drop = "drop";

    /// <summary>Builds the command.</summary>
    public static Command Build(TextWriter output, TextWriter error)
    {
        var at = new BlockPlaceOptions();
        var server = new ServerConnection("--url", "The server that gets the blocks: this program's, or Mimir.", "http://localhost:10902");
        var tenant = new Option<string>("--tenant") { Description = "The tenant, made if it is not there.", HelpName = "TENANT", Required = true };
        var labels = new Option<string>("--external-labels") { Description = "Whether series get the labels of a block's thanos section: keep or drop.", DefaultValueFactory = _ => Keep };
        labels.AcceptOnlyFromAmong(Keep, Drop);
        var command = new Command("upload", "Brings blocks into a tenant of a running server.") { tenant, labels };
        server.AddTo(command);
        at.AddTo(command);
        command.SetAction((parsed, stop) => TsdbCommands.RunAsync(error, async () =>
        {
            if (!TenantId.TryParse(parsed.GetRequiredValue(tenant), out var id, out var reason))
            {
                throw new CommandException(ExitCode.Usage, $"--tenant: {reason}");
            }

            using var http = server.Open(parsed);
            await using var place = await at.OpenAsync(parsed, stop);
            return await UploadAsync(place, new BlockUploadClient(http, id.Value, TimeProvider.System), parsed.GetValue(labels) == Keep, id, output, error, stop);
        }));
        return command;
    }

    private static async Task<int> UploadAsync(BlockPlace place, BlockUploadClient client, bool keepLabels, TenantId tenant, TextWriter output, TextWriter error, CancellationToken stop)
    {
        int uploaded = 0, failed = 0;
        foreach (var from in place.Readable(error))
        {
            if (from.IsMarkedForDeletion)
            {
                await output.WriteLineAsync($"{from.Name}: left out, it is marked for deletion");
                continue;
            }

            try
            {
                var isNew = await client.UploadAsync(await from.FetchAsync(stop), keepLabels, stop);
                await output.WriteLineAsync($"{from.Ulid}: {(isNew ? "uploaded" : "was there")}");
                uploaded++;
            }
            catch (Exception e) when (e is InvalidDataException or IOException)
            {
                failed++;
                await error.WriteLineAsync($"metrics: {from.Name} was left out: {e.Message}");
            }
            finally
            {
                from.Release();
            }
        }

        await output.WriteLineAsync($"{uploaded} of {place.Blocks.Count} blocks are in tenant {tenant}");
        return failed == 0 ? ExitCode.Ok : ExitCode.Failure;
    }
}
