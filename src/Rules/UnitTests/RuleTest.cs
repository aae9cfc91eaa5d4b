using System.Text.RegularExpressions;
using Metrics.PromQL.Parsing;
using Metrics.Rules.Files;
using Metrics.Rules.Groups;

namespace Metrics.Rules.UnitTests;

/// <summary><c>rules test</c>: runs promtool's unit test files against rule files.</summary>
public static class RuleTest
{
    /// <summary>Runs files, and reports as promtool does.</summary>
    /// <param name="paths">The test files; paths of rule files in them are relative to each.</param>
    /// <param name="parsing">Which parts of PromQL are on.</param>
    /// <param name="output">Takes the report.</param>
    /// <param name="run">Only tests whose name matches; null for all.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>True when every test passed.</returns>
    public static async Task<bool> RunAsync(IReadOnlyList<string> paths, ParseOptions parsing, TextWriter output, Regex? run, CancellationToken cancellation)
    {
        var allPassed = true;
        foreach (var path in paths)
        {
            await output.WriteLineAsync($"Unit Testing:  {path}");
            IReadOnlyList<string> errors;
            try
            {
                errors = await RunFileAsync(path, parsing, run, output, cancellation);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                errors = [e.Message];
            }

            allPassed &= errors.Count == 0;
            await output.WriteLineAsync(errors.Count == 0 ? "  SUCCESS" : "  FAILED:");
            foreach (var error in errors)
            {
                await output.WriteLineAsync(error + "\n");
            }

            await output.WriteLineAsync();
        }

        return allPassed;
    }

    private static async Task<IReadOnlyList<string>> RunFileAsync(string path, ParseOptions parsing, Regex? run, TextWriter output, CancellationToken cancellation)
    {
        var (file, errors) = RuleTestReader.Read(await File.ReadAllTextAsync(path, cancellation));
        if (file is null)
        {
            return errors;
        }

        var groups = new List<PlacedGroup>();
        foreach (var pattern in file.RuleFiles)
        {
            var found = Expand(Path.GetDirectoryName(Path.GetFullPath(path))!, pattern);
            if (found.Count == 0)
            {
                await output.WriteLineAsync($"  WARNING: no file match pattern {pattern}");
            }

            foreach (var ruleFile in found)
            {
                var result = RuleFileReader.Read(await File.ReadAllTextAsync(ruleFile, cancellation), parsing);
                if (result.File is null)
                {
                    return [.. result.Errors.Select(e => $"{ruleFile}: {e.Message}")];
                }

                groups.AddRange(result.File.Groups.Select(g => new PlacedGroup(ruleFile, g)));
            }
        }

        var order = file.GroupOrder.ToList();
        var ordered = groups.OrderBy(g => Math.Max(order.IndexOf(g.Spec.Name), 0)).ToList();
        var failures = new List<string>();
        foreach (var test in file.Tests)
        {
            if (run is null || run.IsMatch(test.Name))
            {
                failures.AddRange(await new RuleTestRun(file, test, ordered, parsing).RunAsync(cancellation));
            }
        }

        return failures;
    }

    /// <summary>The files that a path with <c>*</c> and <c>?</c> in its last part stands for.</summary>
    private static List<string> Expand(string directory, string pattern)
    {
        var full = Path.GetFullPath(pattern, directory);
        if (pattern.AsSpan().IndexOfAny('*', '?') < 0)
        {
            return File.Exists(full) ? [full] : [];
        }

        var parent = Path.GetDirectoryName(full)!;
        return Directory.Exists(parent) ? [.. Directory.EnumerateFiles(parent, Path.GetFileName(full)).Order(StringComparer.Ordinal)] : [];
    }
}
