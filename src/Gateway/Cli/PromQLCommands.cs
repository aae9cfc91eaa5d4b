using System.CommandLine;
using Metrics.Gateway.QueryApi;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.TestScripts;

namespace Metrics.Gateway.Cli;

/// <summary><c>promql</c>: the query language without a server.</summary>
internal static class PromQLCommands
{
    /// <summary>Builds the commands.</summary>
    public static Command Build(TextWriter output, TextWriter error) => new("promql", "Works with PromQL without a server.")
    {
        BuildTest(output, error),
        BuildText("format", "Prints a query, formatted.", output, error, query => QueryText.Pretty(query, ParseOptions.All)),
        BuildText("parse", "Prints the syntax tree of a query as JSON.", output, error, query => System.Text.Encoding.UTF8.GetString(QueryText.TreeJson(query, ParseOptions.All))),
    };

    private static Command BuildText(string name, string about, TextWriter output, TextWriter error, Func<string, string> print)
    {
        var query = new Argument<string>("query") { Description = "The PromQL expression." };
        var command = new Command(name, about) { query };
        command.SetAction(parsed =>
        {
            try
            {
                output.WriteLine(print(parsed.GetRequiredValue(query)));
                return ExitCode.Ok;
            }
            catch (PromQLParseException e)
            {
                error.WriteLine($"metrics: {e.Message}");
                return ExitCode.Failure;
            }
        });
        return command;
    }

    private static Command BuildTest(TextWriter output, TextWriter error)
    {
        var files = new Argument<string[]>("FILE") { Description = "Scripts in the language of Prometheus's promqltest.", Arity = ArgumentArity.OneOrMore };
        var command = new Command("test", "Runs test scripts through the engine, over sharded data; prints each case that fails, then \"N passed, N failed\".") { files };
        command.SetAction((parsed, _) => TestAsync(parsed.GetRequiredValue(files), output, error));
        return command;
    }

    private static async Task<int> TestAsync(string[] files, TextWriter output, TextWriter error)
    {
        var passed = 0;
        var failed = 0;
        foreach (var file in files)
        {
            if (!File.Exists(file))
            {
                await error.WriteLineAsync($"metrics: {file} does not exist");
                return ExitCode.Usage;
            }

            var (filePassed, fileFailed) = await ScriptRunner.RunFileAsync(file, output);
            passed += filePassed;
            failed += fileFailed;
        }

        await output.WriteLineAsync($"{passed} passed, {failed} failed");
        return failed == 0 ? ExitCode.Ok : ExitCode.Failure;
    }
}
