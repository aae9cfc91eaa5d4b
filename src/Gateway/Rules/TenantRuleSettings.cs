using Metrics.Gateway.Configuration;
using Metrics.Model;
using Metrics.Rules.Notifying;
using YamlDotNet.RepresentationModel;

namespace Metrics.Gateway.Rules;

/// <summary>What the rules of single tenants have otherwise than the rest: the file of <c>rules.overrides_file</c>. Messages name file and line.</summary>
/// <remarks>
/// <code>
///   overrides:
///     team-a:
///       source_tenants: [team-b, team-c]   # whose series its rules may read besides its own; ["*"] for everybody's
///       alerting:                          # where its alerts go, instead of the general Alertmanagers; Prometheus's section of that name
///         alertmanagers:
///         - static_configs: [{targets: [am-a:9093]}]
/// </code>
/// </remarks>
/// <param name="SourceTenants">The tenants whose series its rules may read besides its own; <c>*</c> stands for all.</param>
/// <param name="Notifier">Where its alerts go; null for where everybody's go.</param>
internal sealed record TenantRuleSettings(IReadOnlySet<string> SourceTenants, NotifierOptions? Notifier)
{
    private const string Everybody = "*";

    /// <summary>Nothing else than the rest has.</summary>
    public static readonly TenantRuleSettings None = new(new HashSet<string>(StringComparer.Ordinal), null);

    /// <summary>True when its rules may read a tenant other than its own.</summary>
    public bool Allows(string source) => SourceTenants.Contains(Everybody) || SourceTenants.Contains(source);

    /// <summary>Reads the file; no file says nothing.</summary>
    /// <exception cref="ConfigurationException">The file can't be read, is no YAML, or says something that is not allowed.</exception>
    public static IReadOnlyDictionary<TenantId, TenantRuleSettings> Read(string path, Labels externalLabels)
    {
        try
        {
            return path.Length == 0 ? new Dictionary<TenantId, TenantRuleSettings>() : Parse(path, File.ReadAllText(path), externalLabels);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"rules.overrides_file {path}: {e.Message}");
        }
    }

    private static Dictionary<TenantId, TenantRuleSettings> Parse(string name, string text, Labels externalLabels)
    {
        var tenants = new Dictionary<TenantId, TenantRuleSettings>();
        foreach (var (section, content) in ConfigurationFile.Parse(name, text) is { } root ? ConfigurationFile.Entries(name, root, "the file") : [])
        {
            if (ConfigurationFile.Scalar(name, section, "a section name") is var key && key != "overrides")
            {
                throw ConfigurationFile.Error(name, section, $"unknown key \"{key}\"; allowed is overrides");
            }

            foreach (var (tenant, settings) in ConfigurationFile.Entries(name, content, "overrides"))
            {
                if (!TenantId.TryParse(ConfigurationFile.Scalar(name, tenant, "a tenant"), out var id, out var error))
                {
                    throw ConfigurationFile.Error(name, tenant, $"no tenant id: {error}");
                }

                tenants[id] = Of(name, settings, externalLabels);
            }
        }

        return tenants;
    }

    private static TenantRuleSettings Of(string name, YamlNode settings, Labels externalLabels)
    {
        var found = None;
        foreach (var (key, value) in ConfigurationFile.Entries(name, settings, "a tenant"))
        {
            found = ConfigurationFile.Scalar(name, key, "a key") switch
            {
                "source_tenants" => found with { SourceTenants = Tenants(name, value) },
                "alerting" => found with { Notifier = Alerting(name, value, externalLabels) },
                var what => throw ConfigurationFile.Error(name, key, $"unknown key \"{what}\"; allowed are alerting, source_tenants"),
            };
        }

        return found;
    }

    private static HashSet<string> Tenants(string name, YamlNode value)
    {
        if (value is not YamlSequenceNode list)
        {
            throw ConfigurationFile.Error(name, value, "source_tenants: want a list of tenants");
        }

        var tenants = new HashSet<string>(StringComparer.Ordinal);
        foreach (var node in list)
        {
            var tenant = ConfigurationFile.Scalar(name, node, "a tenant");
            tenants.Add(tenant == Everybody || TenantId.TryParse(tenant, out _, out _) ? tenant : throw ConfigurationFile.Error(name, node, $"source_tenants: \"{tenant}\" is no tenant id"));
        }

        return tenants;
    }

    private static NotifierOptions Alerting(string name, YamlNode value, Labels externalLabels)
    {
        try
        {
            return AlertingConfigReader.Read(value, externalLabels);
        }
        catch (FormatException e)
        {
            throw ConfigurationFile.Error(name, value, $"alerting: {e.Message}");
        }
    }
}
