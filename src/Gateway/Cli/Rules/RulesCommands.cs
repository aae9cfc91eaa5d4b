using System.CommandLine;
using System.Text.RegularExpressions;
using Metrics.PromQL.Parsing;
using Metrics.Rules.Files;
using Metrics.Rules.UnitTests;

namespace Metrics.Gateway.Cli.Rules;

/// <summary><c>rules</c>: rule files without a server. Output and exit codes are promtool's.</summary>
internal static class RulesCommands
{
    /// <summary>What promtool exits with when a check only found something odd.</summary>
    private const int LintFailure = 3;

    /// <summary>Builds the commands.</summary>
    public static Command Build(TextWriter output, TextWriter error) => new("rules", "Works with Prometheus rule files without a server.")
    {
        BuildCheck(output, error),
        BuildTest(output, error),
        BackfillCommand.Build(output, error),
    };

    private static Command BuildCheck(TextWriter output, TextWriter error)
    {
        var files = Files("Rule files.");
        var lint = new Option<string>("--lint") { Description = "duplicate-rules or none.", DefaultValueFactory = _ => "duplicate-rules" };
        var fatal = new Option<bool>("--lint-fatal") { Description = "Exit with 3 when the lint finds something." };
        var command = new Command("check", "Says of each rule file whether it is in order, as promtool check rules does.") { files, lint, fatal };
        command.SetAction(parsed =>
        {
            if (parsed.GetRequiredValue(lint) is not ("duplicate-rules" or "none" or "all"))
            {
                error.WriteLine($"metrics: --lint {parsed.GetRequiredValue(lint)}; allowed are duplicate-rules and none");
                return ExitCode.Usage;
            }

            var paths = parsed.GetRequiredValue(files);
            var isLinted = parsed.GetRequiredValue(lint) != "none";
            var isWell = RuleCheck.Run(paths, ParseOptions.All, isLinted, output);
            return isWell ? ExitCode.Ok
                : !isLinted || !RuleCheck.Run(paths, ParseOptions.All, lintDuplicates: false, TextWriter.Null) ? ExitCode.Failure
                : parsed.GetValue(fatal) ? LintFailure : ExitCode.Ok;
        });
        return command;
    }

    private static Command BuildTest(TextWriter output, TextWriter error)
    {
        var files = Files("Unit test files.");
        var run = new Option<string?>("--run") { Description = "Only tests whose name matches this regular expression." };
        var command = new Command("test", "Runs unit tests for rules, in the format of promtool test rules.") { files, run };
        command.SetAction(async (parsed, stop) =>
        {
            Regex? pattern = null;
            try
            {
                pattern = parsed.GetValue(run) is { } text ? new Regex(text, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant) : null;
            }
            catch (ArgumentException e)
            {
                await error.WriteLineAsync($"metrics: --run: {e.Message}");
                return ExitCode.Usage;
            }

            return await RuleTest.RunAsync(parsed.GetRequiredValue(files), ParseOptions.All, output, pattern, stop) ? ExitCode.Ok : ExitCode.Failure;
        });
        return command;
    }

    private static Argument<string[]> Files(string about) => new("FILE") { Description = about, Arity = ArgumentArity.OneOrMore };
}
