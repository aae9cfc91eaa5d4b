using System.Collections.Frozen;
using Metrics.Gateway.Configuration;
using Metrics.Model;
using YamlDotNet.RepresentationModel;

namespace Metrics.Gateway.Relabelling;

/// <summary>The file of <c>relabelling.file</c>. Messages name file, line and key.</summary>
/// <remarks>
/// <code>
///   metric_relabel_configs:            # of tenants that have none of their own
///     - {action: labeldrop, regex: pod_template_hash}
///   overrides:
///     team-a:
///       metric_relabel_configs: []
/// </code>
/// </remarks>
/// <param name="General">The rules of tenants that have none of their own.</param>
/// <param name="Tenants">The rules of single tenants.</param>
internal sealed record RelabelFile(RelabelList General, FrozenDictionary<TenantId, RelabelList> Tenants)
{
    private const string Rules = "metric_relabel_configs";

    /// <summary>No rules at all.</summary>
    public static RelabelFile Empty { get; } = new(RelabelList.Empty, FrozenDictionary<TenantId, RelabelList>.Empty);

    /// <summary>Reads the file.</summary>
    /// <exception cref="ConfigurationException">It cannot be read, is no YAML, or says something that is not allowed.</exception>
    public static RelabelFile Read(string path)
    {
        try
        {
            return Parse(path, File.ReadAllText(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"relabelling.file {path}: {e.Message}");
        }
    }

    /// <summary>Reads text; <paramref name="name"/> is what messages call it.</summary>
    public static RelabelFile Parse(string name, string text)
    {
        var general = RelabelList.Empty;
        var tenants = new Dictionary<TenantId, RelabelList>();
        if (ConfigurationFile.Parse(name, text) is { } root)
        {
            foreach (var (key, value) in ConfigurationFile.Entries(name, root, "the file"))
            {
                switch (ConfigurationFile.Scalar(name, key, "a section name"))
                {
                    case Rules:
                        general = RulesOf(name, value);
                        break;
                    case "overrides":
                        AddTenants(name, value, tenants);
                        break;
                    case var other:
                        throw ConfigurationFile.Error(name, key, $"unknown key \"{other}\"; allowed are {Rules}, overrides");
                }
            }
        }

        return new RelabelFile(general, tenants.ToFrozenDictionary());
    }

    private static void AddTenants(string name, YamlNode node, Dictionary<TenantId, RelabelList> tenants)
    {
        foreach (var (tenant, settings) in ConfigurationFile.Entries(name, node, "overrides"))
        {
            if (!TenantId.TryParse(ConfigurationFile.Scalar(name, tenant, "a tenant"), out var id, out var error))
            {
                throw ConfigurationFile.Error(name, tenant, $"no tenant id: {error}");
            }

            foreach (var (key, value) in ConfigurationFile.Entries(name, settings, "a tenant"))
            {
                tenants[id] = ConfigurationFile.Scalar(name, key, "a key") is Rules
                    ? RulesOf(name, value)
                    : throw ConfigurationFile.Error(name, key, $"unknown key \"{key}\"; allowed is {Rules}");
            }
        }
    }

    private static RelabelList RulesOf(string name, YamlNode node)
    {
        try
        {
            return RelabelList.Read(node);
        }
        catch (FormatException e)
        {
            throw new ConfigurationException($"{name}: {Rules}: {e.Message}");
        }
    }
}
