using System.Text.RegularExpressions;
using Metrics.Gateway.Limits;
using YamlDotNet.RepresentationModel;

namespace Metrics.Gateway.Configuration;

/// <summary>Reads <c>blocked_queries</c> of a tenant: a list of <c>{pattern, regex, reason, time_range_longer_than, step_size_shorter_than, unaligned_range_queries}</c>.</summary>
internal static class BlockedQueryList
{
    private const int MaxEntries = 1000;

    private static readonly string[] keys = ["pattern", "regex", "reason", "time_range_longer_than", "step_size_shorter_than", "unaligned_range_queries"];

    /// <summary>Reads the list.</summary>
    /// <exception cref="ConfigurationException">It says something that is not allowed.</exception>
    public static IReadOnlyList<BlockedQuery> Read(string name, YamlNode list)
    {
        if (list is not YamlSequenceNode { Children: var children })
        {
            throw ConfigurationFile.Error(name, list, "blocked_queries must be a list");
        }

        return children.Count <= MaxEntries
            ? [.. children.Select(c => ReadOne(name, c))]
            : throw ConfigurationFile.Error(name, list, $"blocked_queries has {children.Count} entries; allowed are {MaxEntries}");
    }

    private static BlockedQuery ReadOne(string name, YamlNode node)
    {
        var query = new BlockedQuery("", null, "", TimeSpan.Zero, TimeSpan.Zero, false);
        var isRegex = false;
        foreach (var (key, value) in ConfigurationFile.Entries(name, node, "a blocked query"))
        {
            var what = ConfigurationFile.Scalar(name, key, "a key");
            var text = ConfigurationFile.Scalar(name, value, $"a value of {what}");
            query = what switch
            {
                "pattern" => query with { Pattern = text.Trim() },
                "reason" => query with { Reason = text },
                "time_range_longer_than" => query with { LongerThan = ConfigurationFile.Duration(name, value, what, TimeSpan.FromDays(36500)) },
                "step_size_shorter_than" => query with { StepSmallerThan = ConfigurationFile.Duration(name, value, what, TimeSpan.FromDays(36500)) },
                "unaligned_range_queries" => query with { Unaligned = ConfigurationFile.Flag(name, value, what) },
                "regex" => query,
                _ => throw ConfigurationFile.Error(name, key, $"unknown key \"{what}\"; allowed are {string.Join(", ", keys)}"),
            };
            isRegex = what == "regex" ? ConfigurationFile.Flag(name, value, what) : isRegex;
        }

        if (query.Pattern.Length == 0 && query is { LongerThan.Ticks: 0, StepSmallerThan.Ticks: 0, Unaligned: false })
        {
            throw ConfigurationFile.Error(name, node, "a blocked query without any condition would block all");
        }

        try
        {
            // No backtracking: the text that it meets comes from clients.
            return isRegex ? query with { Regex = new Regex($"^(?s:{query.Pattern})$", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant) } : query;
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw ConfigurationFile.Error(name, node, $"pattern: \"{query.Pattern}\" is no regular expression: {e.Message}");
        }
    }
}
