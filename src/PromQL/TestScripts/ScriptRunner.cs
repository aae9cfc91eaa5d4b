using System.Text.RegularExpressions;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.TestScripts;

/// <summary>Runs test scripts against the engine, over data spread over several shards.</summary>
/// <remarks>
/// An instant case is put through what the reference runner (promql/promqltest) does: the query itself, the query as a range around its time, and both
/// again with every selector pinned by <c>@</c> and evaluated at other times. A case passes when all of it does.
/// </remarks>
public sealed partial class ScriptRunner
{
    private const int ShardCount = 3;
    private const long MinuteMs = 60_000;

    private readonly EngineOptions options;
    private readonly QueryEngine engine;
    private readonly ScriptStorage storage = new(ShardCount);
    private readonly IReadOnlyList<IQueryLeaf> leaves;

    /// <summary>Makes a runner with empty data.</summary>
    public ScriptRunner(EngineOptions options)
        : this(options, static leaf => leaf)
    {
    }

    /// <summary>Makes a runner with empty data whose leaves are asked through something.</summary>
    internal ScriptRunner(EngineOptions options, Func<IQueryLeaf, IQueryLeaf> through)
    {
        this.options = options;
        engine = new QueryEngine(options);
        leaves = [.. storage.Shards.Select(s => through(new LocalLeaf(s, options)))];
    }

    /// <summary>The engine options of the reference runner.</summary>
    public static EngineOptions ReferenceOptions { get; } = new()
    {
        Parsing = ParseOptions.All,
        DelayedNameRemoval = true,
        UseStartTimestamps = true,
    };

    /// <summary>Runs one file with the reference's options; each failing case is one paragraph of output.</summary>
    public static async Task<(int Passed, int Failed)> RunFileAsync(string path, TextWriter output) =>
        await new ScriptRunner(ReferenceOptions).RunAsync(Path.GetFileName(path), await File.ReadAllTextAsync(path), output);

    /// <summary>Runs a script; each eval command is one case. A script that can't be read or loaded counts as one more failure and ends there.</summary>
    public async Task<(int Passed, int Failed)> RunAsync(string name, string script, TextWriter output)
    {
        var passed = 0;
        var failed = 0;
        try
        {
            foreach (var command in ScriptParser.Parse(script))
            {
                switch (command)
                {
                    case ClearCommand:
                        storage.Clear();
                        break;
                    case LoadCommand load:
                        storage.Load(load);
                        break;
                    case EvalCommand eval when await RunCaseAsync(eval) is { } problem:
                        failed++;
                        await output.WriteLineAsync($"{name}:{eval.Line}: {eval.Query}\n    {problem}");
                        break;
                    case EvalCommand:
                        passed++;
                        break;
                }
            }
        }
        catch (ScriptException e)
        {
            failed++;
            await output.WriteLineAsync($"{name}:{e.Line}: {e.Message}");
        }

        return (passed, failed);
    }

    /// <summary>What is wrong with a case, or null.</summary>
    private async Task<string?> RunCaseAsync(EvalCommand eval)
    {
        Expr expr;
        try
        {
            expr = PromQLParser.Parse(eval.Query, options.Parsing);
        }
        catch (PromQLParseException e)
        {
            return "does not parse: " + e.Message;
        }

        try
        {
            if (eval.IsRange)
            {
                return await RunQueryAsync(eval, eval.Query, eval.Grid, ResultCheck.Range(eval, eval.Grid));
            }

            return await RunInstantAsync(eval, eval.Query, eval.Grid.StartMs) ?? await RunPinnedAsync(eval, expr);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The engine failed in a way it must not; that is this case's result, and the others still count.
            return e.ToString();
        }
    }

    private async Task<string?> RunInstantAsync(EvalCommand eval, string query, long timeMs)
    {
        var problem = await RunQueryAsync(eval, query, null, ResultCheck.Instant(eval), timeMs);
        if (problem is not null || eval.Text is not null || eval.RangeVector is not null || DependsOnRange().IsMatch(query))
        {
            return problem is null ? null : $"instant at {timeMs} {query}: {problem}";
        }

        var around = new TimeGrid(timeMs - MinuteMs, timeMs + MinuteMs, MinuteMs);
        problem = await RunQueryAsync(eval, query, around, ResultCheck.PointOfRange(eval, timeMs));
        return problem is null ? null : $"range around {timeMs} {query}: {problem}";
    }

    private async Task<string?> RunPinnedAsync(EvalCommand eval, Expr expr)
    {
        if (PinnedQuery.DependsOnTime(expr))
        {
            return null;
        }

        var timeMs = eval.Grid.StartMs;
        var query = Printer.Print(PinnedQuery.Pin(expr, timeMs));
        long[] times = timeMs == 0 ? [-1000, 0, 1000] : [-10 * timeMs, 0, timeMs / 5, timeMs, 10 * timeMs];
        foreach (var other in times)
        {
            if (await RunInstantAsync(eval, query, other) is { } problem)
            {
                return problem;
            }
        }

        return null;
    }

    private async Task<string?> RunQueryAsync(EvalCommand eval, string query, TimeGrid? grid, ResultCheck check, long timeMs = 0)
    {
        try
        {
            var request = new QueryRequest(query, grid ?? TimeGrid.Instant(timeMs), grid is not null);
            using var result = await engine.ExecuteAsync(request, leaves, CancellationToken.None);
            return eval.Fails ? "expected to fail, but it did not" : check.Check(result);
        }
        catch (QueryException e)
        {
            if (!eval.Fails)
            {
                return "failed: " + e.Message;
            }

            var wrong = eval.Expectations.FirstOrDefault(x => x.Kind == ExpectedMessage.Fail && !x.Meets(e.Message));
            return wrong is null ? null : $"failed with {e.Message}, want {wrong.Text}";
        }
    }

    [GeneratedRegex("(start|end|range|step)\\(\\)")]
    private static partial Regex DependsOnRange();
}
