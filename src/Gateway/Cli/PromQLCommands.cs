using System.CommandLine;
using Metrics.Gateway.QueryApi;
using Metrics.PromQL.Parsing;

namespace Metrics.Gateway.Cli;

/// <summary><c>promql</c>: the query language without a server.</summary>
internal static class PromQLCommands
{
    /// <summary>Builds the commands.</summary>
    public static Command Build(TextWriter output, TextWriter error) => new("promql", "Works with PromQL without a server.")
    {
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
}
