using Metrics.Gateway.QueryApi;
using Metrics.Model;
using Metrics.Rules.Alerting;
using Metrics.Rules.Groups;
using Microsoft.AspNetCore.Http.Extensions;

namespace Metrics.Gateway.Rules;

/// <summary>Which groups and rules a request asks for. Its text goes to the other processes of a cluster.</summary>
internal sealed class RuleFilter
{
    private static readonly string[] names = ["rule_name[]", "rule_group[]", "file[]", "match[]", "type", "exclude_alerts", Shown];

    private const string Shown = "groups";

    private readonly HashSet<string> ruleNames;
    private readonly HashSet<string> groupNames;
    private readonly HashSet<string> files;
    private readonly IReadOnlyList<IReadOnlyList<Matcher>> selectors;
    private readonly string type;
    private readonly bool isEmpty;

    private RuleFilter(RequestParameters parameters)
    {
        ruleNames = parameters.All("rule_name[]").ToHashSet(StringComparer.Ordinal);
        groupNames = parameters.All("rule_group[]").ToHashSet(StringComparer.Ordinal);
        files = parameters.All("file[]").ToHashSet(StringComparer.Ordinal);
        selectors = LabelEndpoints.Selectors(parameters);
        type = parameters["type"].ToLowerInvariant();
        if (type is not ("" or "alert" or "record"))
        {
            throw ApiException.InvalidParameter("type", $"not supported value {LabelsText.Quote(type)}");
        }

        var exclude = parameters["exclude_alerts"].ToLowerInvariant();
        WithAlerts = exclude switch
        {
            "" or "0" or "f" or "false" => true,
            "1" or "t" or "true" => false,
            _ => throw ApiException.InvalidParameter("exclude_alerts", $"error converting exclude_alerts: strconv.ParseBool: parsing {LabelsText.Quote(exclude)}: invalid syntax"),
        };
        isEmpty = parameters[Shown] == "none";
        var text = new QueryBuilder();
        foreach (var name in names)
        {
            text.Add(name, parameters.All(name));
        }

        Text = text.ToQueryString().Value ?? "";
    }

    /// <summary>All alerting rules.</summary>
    public static RuleFilter Alerting { get; } = Read(RequestParameters.Of("type=alert"));

    /// <summary>No group: what is known besides is wanted.</summary>
    public static RuleFilter Nothing { get; } = Read(RequestParameters.Of($"{Shown}=none"));

    /// <summary>True when alerts are shown with their rules.</summary>
    public bool WithAlerts { get; }

    /// <summary>The filter as a URL's query.</summary>
    public string Text { get; }

    /// <summary>Reads the parameters of a request.</summary>
    /// <exception cref="ApiException">One is not what it must be.</exception>
    public static RuleFilter Read(RequestParameters parameters) => new(parameters);

    /// <summary>The rules of a group that are asked for; none when the group is not shown.</summary>
    public List<Rule> Select(RuleGroup group)
    {
        if (isEmpty || (groupNames.Count > 0 && !groupNames.Contains(group.Name)) || (files.Count > 0 && !files.Contains(group.File)))
        {
            return [];
        }

        return [.. group.Rules.Where(r => (ruleNames.Count == 0 || ruleNames.Contains(r.Name))
            && (type.Length == 0 || type == "alert" == r is AlertingRule)
            && (selectors.Count == 0 || selectors.Any(s => Matcher.AllMatch(s, r.Labels))))];
    }
}
