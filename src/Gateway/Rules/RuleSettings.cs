using Metrics.Gateway.Configuration;
using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.Rules;
using Metrics.Rules.Files;
using Metrics.Rules.Groups;
using Metrics.Rules.Notifying;

namespace Metrics.Gateway.Rules;

/// <summary>The settings of rules, as the library takes them.</summary>
internal static class RuleSettings
{
    /// <summary>Checks what one bound cannot say.</summary>
    /// <exception cref="ConfigurationException">Something is not allowed.</exception>
    public static void Check(RulesOptions options)
    {
        LabelsOf(options);
        _ = SetsOf(options);
    }

    /// <summary>Why a tenant can't have a group evaluated, or null when it can: other tenants' series are read only where that is switched on and granted.</summary>
    public static string? Refusal(RuleGroupSpec group, TenantId tenant, bool isFederated, TenantRuleSettings settings)
    {
        foreach (var source in group.SourceTenants)
        {
            if (source == tenant.Value)
            {
                continue;
            }

            if (!TenantId.TryParse(source, out _, out var error))
            {
                return $"group \"{group.Name}\": source_tenants: {error}";
            }

            if (!isFederated)
            {
                return $"group \"{group.Name}\": source_tenants other than the own tenant need rules.federation";
            }

            if (!settings.Allows(source))
            {
                return $"group \"{group.Name}\": tenant {tenant} is not allowed to read tenant {source}";
            }
        }

        return null;
    }

    /// <summary>How rules are evaluated.</summary>
    public static RuleOptions OptionsOf(RulesOptions options) => new()
    {
        DefaultIntervalMs = (long)options.EvaluationInterval.TotalMilliseconds,
        DefaultQueryOffsetMs = (long)options.QueryOffset.TotalMilliseconds,
        ResendDelayMs = (long)options.ResendDelay.TotalMilliseconds,
        OutageToleranceMs = (long)options.ForOutageTolerance.TotalMilliseconds,
        ForGracePeriodMs = (long)options.ForGracePeriod.TotalMilliseconds,
        MaxConcurrentEvaluations = options.MaxConcurrentEvals,
        ExternalLabels = LabelsOf(options),
        ExternalUrl = options.ExternalUrl.TrimEnd('/'),
    };

    /// <summary>Where alerts go.</summary>
    /// <exception cref="ConfigurationException">The file can't be read, or says something that is not allowed.</exception>
    public static NotifierOptions NotifierOf(RulesOptions options)
    {
        var notifier = new NotifierOptions { ExternalLabels = LabelsOf(options) };
        if (options.AlertingConfig.Length > 0)
        {
            try
            {
                notifier = AlertingConfigReader.Read(File.ReadAllText(options.AlertingConfig), notifier.ExternalLabels);
            }
            catch (Exception e) when (e is FormatException or IOException or UnauthorizedAccessException)
            {
                throw new ConfigurationException($"rules.alerting_config: {options.AlertingConfig}: {e.Message}");
            }
        }

        return notifier with { Sets = [.. notifier.Sets, .. SetsOf(options)] };
    }

    /// <summary>The groups in rule files.</summary>
    /// <exception cref="ConfigurationException">A file can't be read or is not in order.</exception>
    public static IReadOnlyList<PlacedGroup> ReadFiles(IReadOnlyList<string> patterns, ParseOptions parsing)
    {
        var groups = new List<PlacedGroup>();
        foreach (var file in Expand(patterns))
        {
            try
            {
                var result = RuleFileReader.Read(File.ReadAllText(file), parsing);
                groups.AddRange((result.File ?? throw new ConfigurationException($"{file}: {string.Join("; ", result.Errors)}")).Groups.Select(g => new PlacedGroup(file, g)));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new ConfigurationException($"rules.files: {e.Message}");
            }
        }

        return groups;
    }

    /// <summary>The files that rules and Alertmanagers come from as they lie there now, for the watch.</summary>
    public static IReadOnlyList<string> FilesOf(RulesOptions options) =>
        [.. Expand(options.Files), .. new[] { options.AlertingConfig, options.OverridesFile }.Where(static f => f.Length > 0)];

    private static SortedSet<string> Expand(IReadOnlyList<string> patterns) => new(patterns.SelectMany(Expand), StringComparer.Ordinal);

    private static List<AlertmanagerSetOptions> SetsOf(RulesOptions options)
    {
        try
        {
            return [.. options.Alertmanagers.Select(AlertmanagerUrl.Parse)];
        }
        catch (FormatException e)
        {
            throw new ConfigurationException($"rules.alertmanagers: {e.Message}");
        }
    }

    private static IEnumerable<string> Expand(string pattern)
    {
        var full = Path.GetFullPath(pattern);
        var folder = Path.GetDirectoryName(full) ?? "/";
        return pattern.AsSpan().IndexOfAny('*', '?') < 0 ? [full]
            : Directory.Exists(folder) ? Directory.EnumerateFiles(folder, Path.GetFileName(full)) : [];
    }

    /// <summary>The external labels.</summary>
    /// <exception cref="ConfigurationException">One is not of the form name=value.</exception>
    public static Labels LabelsOf(RulesOptions options)
    {
        var labels = new LabelsBuilder();
        foreach (var pair in options.ExternalLabels)
        {
            var equals = pair.IndexOf('=');
            if (equals <= 0)
            {
                throw new ConfigurationException($"rules.external_labels: {pair}; allowed is name=value");
            }

            labels.Set(pair[..equals], pair[(equals + 1)..]);
        }

        return labels.ToLabels();
    }
}
