using Metrics.PromQL.Parsing;

namespace Metrics.Rules.Files;

/// <summary><c>rules check</c>: says of each file whether it is in order, as <c>promtool check rules</c> does.</summary>
public static class RuleCheck
{
    /// <summary>Checks files, and writes about each.</summary>
    /// <param name="paths">The files.</param>
    /// <param name="parsing">Which parts of PromQL are on.</param>
    /// <param name="lintDuplicates">True to treat rules that write the same series as a mistake.</param>
    /// <param name="output">Takes the report.</param>
    /// <returns>True when all files are in order.</returns>
    public static bool Run(IReadOnlyList<string> paths, ParseOptions parsing, bool lintDuplicates, TextWriter output)
    {
        var allWell = true;
        foreach (var path in paths)
        {
            output.WriteLine($"Checking {path}");
            var problems = new List<string>();
            RuleFile? file = null;
            try
            {
                var result = RuleFileReader.Read(File.ReadAllText(path), parsing);
                file = result.File;
                problems.AddRange(result.Errors.Select(e => $"{path}: {e.Message}"));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                problems.Add(e.Message);
            }

            if (file is not null && lintDuplicates)
            {
                AddDuplicates(file, problems);
            }

            allWell &= problems.Count == 0;
            Report(file, problems, output);
        }

        return allWell;
    }

    private static void Report(RuleFile? file, List<string> problems, TextWriter output)
    {
        if (problems.Count == 0)
        {
            output.WriteLine($"  SUCCESS: {file!.Groups.Sum(g => g.Rules.Count)} rules found");
        }
        else
        {
            output.WriteLine("  FAILED:");
            foreach (var problem in problems)
            {
                output.WriteLine(problem);
            }
        }

        output.WriteLine();
    }

    private static void AddDuplicates(RuleFile file, List<string> problems)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var doubled = new List<RuleSpec>();
        foreach (var rule in file.Groups.SelectMany(g => g.Rules))
        {
            var identity = $"{rule.Name}\u0001{string.Join('\u0002', rule.Labels.Select(l => $"{l.Key}\u0003{l.Value}"))}";
            if (!seen.Add(identity))
            {
                doubled.Add(rule);
            }
        }

        if (doubled.Count > 0)
        {
            var which = string.Concat(doubled.Select(r => $"Metric: {r.Name}\nLabel(s):\n{string.Concat(r.Labels.Select(l => $"\t{l.Key}: {l.Value}\n"))}"));
            problems.Add($"lint error {doubled.Count} duplicate rule(s) found.\n{which}Might cause inconsistency while recording expressions");
        }
    }
}
