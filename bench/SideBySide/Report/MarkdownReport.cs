namespace Metrics.SideBySide;

/// <summary>Writes the tables: figures, suites query by query with ratios, and where answers differ from Prometheus's.</summary>
internal sealed class MarkdownReport(Settings settings, Figures figures, QueryTimes times, AnswerFolder answers)
{
    private const string Reference = "prometheus";

    private readonly IReadOnlyList<string> peers = [.. settings.Servers.Skip(1)];

    public void Write(TextWriter to)
    {
        to.WriteLine($"{settings.Series:N0} series x {settings.Scrapes} scrapes, churn 10% an hour, {settings.Connections} connections, {ChurningScrapes.SamplesPerBody:N0} samples a body, seed {settings.Seed}; medians of {settings.Runs} runs");
        WriteFigures(to);
        if (settings.Parts.Contains("queries"))
        {
            foreach (var (name, queries) in QueryTimes.Suites)
            {
                WriteSuite(to, name, queries);
            }

            WriteDifferences(to);
        }
    }

    private void WriteFigures(TextWriter to)
    {
        Head(to, "", [.. settings.Servers, .. peers.Select(Ratio)]);
        foreach (var (name, format) in figures.Names)
        {
            var ours = figures.Median(settings.Servers[0], name);
            Row(to, name, [.. settings.Servers.Select(s => Text(figures.Median(s, name), format)), .. peers.Select(p => Text(ours / figures.Median(p, name), "F2"))]);
        }
    }

    private void WriteSuite(TextWriter to, string name, IReadOnlyList<Query> queries)
    {
        Head(to, $"{name}: p50 (first) ms", [.. settings.Servers, .. peers.Select(Ratio)]);
        foreach (var query in queries)
        {
            var ours = times.MedianMs(settings.Servers[0], query);
            Row(
                to, $"`{query.ToString().Replace("|", "\\|", StringComparison.Ordinal)}`",
                [.. settings.Servers.Select(s => times.Error(s, query) is null ? $"{times.MedianMs(s, query):F1} ({times.ColdMs(s, query):F1})" : "failed"), .. peers.Select(p => Text(ours / times.MedianMs(p, query), "F2"))]);
        }

        // Sums are over what every server answered; a query that one of them cannot do would favour that one.
        var common = queries.Where(q => settings.Servers.All(s => times.Error(s, q) is null)).ToList();
        Row(
            to, $"**sum of {common.Count}; ratio of sums**",
            [.. settings.Servers.Select(s => $"{common.Sum(q => times.MedianMs(s, q)):F0} ({common.Sum(q => times.ColdMs(s, q)):F0})"), .. peers.Select(p => Text(common.Sum(q => times.MedianMs(settings.Servers[0], q)) / common.Sum(q => times.MedianMs(p, q)), "F2"))]);
        Row(
            to, "**geometric mean of ratios**",
            [.. settings.Servers.Select(_ => ""), .. peers.Select(p => Text(Statistics.GeometricMean([.. common.Select(q => times.MedianMs(settings.Servers[0], q) / times.MedianMs(p, q))]), "F2"))]);
        foreach (var server in settings.Servers)
        {
            Console.Error.WriteLine(FormattableString.Invariant($"figure\t{server}\t{name} queries, sum of p50, ms\t{common.Sum(q => times.MedianMs(server, q)):R}"));
        }
    }

    private void WriteDifferences(TextWriter to)
    {
        if (!settings.Servers.Contains(Reference))
        {
            return;
        }

        // An empty answer is easy to agree on, and to give.
        var empty = QueryTimes.Suites.SelectMany(s => s.Queries).Where(q => answers.Find(Reference, q) is { Count: 0 }).ToList();
        to.WriteLine($"\nQueries that Prometheus answers with nothing: {empty.Count}");
        empty.ForEach(query => to.WriteLine($"- `{query}`"));

        foreach (var server in settings.Servers.Where(s => s != Reference))
        {
            var lines = new List<string>();
            var compared = 0;
            foreach (var query in QueryTimes.Suites.SelectMany(s => s.Queries))
            {
                var own = answers.Find(server, query);
                var expected = answers.Find(Reference, query);
                if (own is null || expected is null)
                {
                    lines.Add($"- `{query}`: {times.Error(server, query) ?? $"{Reference} failed: {times.Error(Reference, query)}"}");
                    continue;
                }

                compared++;
                if (own.DifferenceTo(expected) is { } difference)
                {
                    lines.Add($"- `{query}`: {difference}");
                }
            }

            to.WriteLine($"\nAnswers of {server} that differ from Prometheus's ({compared} compared): {lines.Count}");
            lines.ForEach(to.WriteLine);
        }
    }

    private string Ratio(string peer) => $"{settings.Servers[0]} / {peer}";

    private static void Head(TextWriter to, string first, IReadOnlyList<string> columns)
    {
        to.WriteLine();
        Row(to, first, columns);
        to.WriteLine("|---|" + string.Concat(columns.Select(_ => "---|")));
    }

    private static void Row(TextWriter to, string first, IReadOnlyList<string> cells) => to.WriteLine($"| {first} | {string.Join(" | ", cells)} |");

    private static string Text(double value, string format) => double.IsNaN(value) ? "" : value.ToString(format);
}
