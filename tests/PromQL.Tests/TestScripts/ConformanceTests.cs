using Metrics.PromQL.Parsing;
using Metrics.PromQL.Tests.Exchange;
using Metrics.PromQL.TestScripts;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.PromQL.Tests.TestScripts;

/// <summary>Every case of Prometheus's promqltest scripts. Without the scripts there is nothing to run, and the test says so and passes.</summary>
public sealed class ConformanceTests(ITestOutputHelper output)
{
    private const string Absent = "(no scripts found)";

    public static TheoryData<string> Files => ScriptFolder.Find() is { } folder
        ? new TheoryData<string>(Directory.GetFiles(folder, "*.test").Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal))
        : new TheoryData<string>(Absent);

    [Theory]
    [MemberData(nameof(Files))]
    public async Task EveryCaseAnswersAsPrometheusDoes(string file)
    {
        if (file == Absent)
        {
            output.WriteLine("the folder ../shared/promqltest is absent: conformance was not tested");
            return;
        }

        var text = new StringWriter();
        var (passed, failed) = await ScriptRunner.RunFileAsync(Path.Combine(ScriptFolder.Find()!, file), text);
        output.WriteLine($"{file}: {passed} passed, {failed} failed\n{text}");
        Assert.True(failed == 0, $"{file}: {passed} passed, {failed} failed\n{text}");
    }

    [Theory]
    [MemberData(nameof(Files))]
    public async Task EveryCaseAnswersTheSameWhenTheShardsAreElsewhere(string file)
    {
        if (file == Absent)
        {
            output.WriteLine("the folder ../shared/promqltest is absent: answers through bytes were not tested");
            return;
        }

        var text = new StringWriter();
        var runner = new ScriptRunner(ScriptRunner.ReferenceOptions, static leaf => new WiredLeaf(leaf));
        var (passed, failed) = await runner.RunAsync(file, await File.ReadAllTextAsync(Path.Combine(ScriptFolder.Find()!, file)), text);
        Assert.True(failed == 0, $"{file}: {passed} passed, {failed} failed\n{text}");
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void EveryQueryReadsBackFromItsOwnText(string file)
    {
        if (file == Absent)
        {
            output.WriteLine("the folder ../shared/promqltest is absent: nothing was read");
            return;
        }

        var script = File.ReadAllText(Path.Combine(ScriptFolder.Find()!, file));
        var evals = ScriptParser.Parse(script).OfType<EvalCommand>().ToList();
        Assert.Equal(script.Split('\n').Count(l => l.TrimStart().StartsWith("eval", StringComparison.Ordinal)), evals.Count);
        foreach (var eval in evals)
        {
            var printed = Printer.Print(PromQLParser.Parse(eval.Query, ParseOptions.All));
            Assert.Equal(printed, Printer.Print(PromQLParser.Parse(printed, ParseOptions.All)));
            var pretty = PrettyPrinter.Print(PromQLParser.Parse(eval.Query, ParseOptions.All));
            Assert.Equal(printed, Printer.Print(PromQLParser.Parse(pretty, ParseOptions.All)));
        }
    }
}
