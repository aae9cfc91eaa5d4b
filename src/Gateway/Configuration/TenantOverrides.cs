using Metrics.Cluster;
using Metrics.Gateway.Limits;
using Metrics.Model;
using YamlDotNet.RepresentationModel;

namespace Metrics.Gateway.Configuration;

/// <summary>What one tenant has otherwise than the rest.</summary>
/// <param name="Storage">How its data is kept.</param>
/// <param name="Limits">What it may ask: all limits, those of the section <c>limits</c> where the file does not say otherwise.</param>
internal sealed record TenantOverride(TenantStorageOptions Storage, TenantLimits Limits);

/// <summary>What single tenants have otherwise than the rest: the file of <c>tenancy.overrides_file</c>, in the shape of Mimir's. Messages name file, line and key.</summary>
/// <remarks>
/// <code>
///   overrides:
///     team-a:
///       out_of_order_window: 2h
///       retention: 30d
///       max_global_series_per_user: 1000000
///       blocked_queries:
///         - pattern: ".*node_exporter.*"
///           regex: true
///           reason: ask the platform team
/// </code>
/// </remarks>
internal static class TenantOverrides
{
    private const string BlockedQueries = "blocked_queries";

    private static readonly string[] storageKeys = ["out_of_order_window", "retention", "retention_five_minutes", "retention_one_hour", "retention_size"];
    private static readonly IReadOnlyDictionary<string, Setting> limitKeys = SettingCatalog.In("limits").ToDictionary(s => s.Name, StringComparer.Ordinal);

    /// <summary>The keys that a tenant may have, as messages list them.</summary>
    internal static IReadOnlyList<string> Keys { get; } = [.. storageKeys, .. limitKeys.Keys, BlockedQueries];

    /// <summary>Reads the file; what a tenant does not say it has from the general settings.</summary>
    /// <exception cref="ConfigurationException">The file cannot be read, is no YAML, or says something that is not allowed.</exception>
    public static IReadOnlyDictionary<TenantId, TenantOverride> Read(string path, RetentionOptions retention, TenantLimits limits)
    {
        try
        {
            return Parse(path, File.ReadAllText(path), retention, limits);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"tenancy.overrides_file {path}: {e.Message}");
        }
    }

    /// <summary>Reads text; <paramref name="name"/> is what messages call it.</summary>
    public static IReadOnlyDictionary<TenantId, TenantOverride> Parse(string name, string text, RetentionOptions retention, TenantLimits limits)
    {
        var tenants = new Dictionary<TenantId, TenantOverride>();
        if (ConfigurationFile.Parse(name, text) is not { } root)
        {
            return tenants;
        }

        foreach (var (section, content) in ConfigurationFile.Entries(name, root, "the file"))
        {
            if (ConfigurationFile.Scalar(name, section, "a section name") is var key && key != "overrides")
            {
                throw ConfigurationFile.Error(name, section, $"unknown key \"{key}\"; allowed is overrides");
            }

            if (content is YamlScalarNode { Value: null or "" })
            {
                continue;
            }

            foreach (var (tenant, settings) in ConfigurationFile.Entries(name, content, "overrides"))
            {
                if (!TenantId.TryParse(ConfigurationFile.Scalar(name, tenant, "a tenant"), out var id, out var error))
                {
                    throw ConfigurationFile.Error(name, tenant, $"no tenant id: {error}");
                }

                tenants[id] = Of(name, settings, retention, limits.Copy());
            }
        }

        return tenants;
    }

    private static TenantOverride Of(string name, YamlNode settings, RetentionOptions retention, TenantLimits limits)
    {
        var storage = new TenantStorageOptions { Retention = retention };
        if (settings is YamlScalarNode { Value: null or "" })
        {
            return new TenantOverride(storage, limits);
        }

        foreach (var (key, value) in ConfigurationFile.Entries(name, settings, "a tenant"))
        {
            var what = ConfigurationFile.Scalar(name, key, "a key");
            if (what == BlockedQueries)
            {
                limits.BlockedQueries = BlockedQueryList.Read(name, value);
            }
            else if (limitKeys.TryGetValue(what, out var setting))
            {
                setting.SetIn(limits, [ConfigurationFile.Scalar(name, value, $"{what} ({setting.Allowed})")], $"{name}:{value.Start.Line}: {what}");
            }
            else if (storageKeys.Contains(what, StringComparer.Ordinal))
            {
                storage = With(storage, what, name, value);
            }
            else
            {
                throw ConfigurationFile.Error(name, key, $"unknown key \"{what}\"; allowed are {string.Join(", ", Keys)}");
            }
        }

        return new TenantOverride(storage, limits);
    }

    private static TenantStorageOptions With(TenantStorageOptions found, string what, string name, YamlNode value)
    {
        var text = ConfigurationFile.Scalar(name, value, $"a value of {what}");
        return what switch
        {
            "out_of_order_window" => found with { OutOfOrderWindow = Duration(TimeSpan.FromDays(365)) },
            "retention" => found with { Retention = found.Retention! with { Raw = Kept() } },
            "retention_five_minutes" => found with { Retention = found.Retention! with { FiveMinutes = Kept() } },
            "retention_one_hour" => found with { Retention = found.Retention! with { OneHour = Kept() } },
            _ when ByteSize.TryParse(text, out var size) => found with { Retention = found.Retention! with { MaxBytes = size.Bytes } },
            _ => throw ConfigurationFile.Error(name, value, $"{what}: got \"{text}\", want a size such as 32MiB; 0 keeps all"),
        };

        TimeSpan? Kept() => Duration(TimeSpan.FromDays(36500)) is var most && most == TimeSpan.Zero ? null : most;

        TimeSpan Duration(TimeSpan most) => ConfigurationFile.Duration(name, value, what, most);
    }
}
