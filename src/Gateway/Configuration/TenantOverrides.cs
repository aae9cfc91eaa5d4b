using Metrics.Cluster;
using Metrics.Model;
using YamlDotNet.RepresentationModel;

namespace Metrics.Gateway.Configuration;

/// <summary>What single tenants have otherwise than the rest: the file of <c>tenancy.overrides_file</c>, in the shape of Mimir's. Messages name file, line and key.</summary>
/// <remarks>
/// <code>
///   overrides:
///     team-a:
///       out_of_order_window: 2h
///       retention: 30d
/// </code>
/// </remarks>
internal static class TenantOverrides
{
    private static readonly string[] keys = ["out_of_order_window", "retention", "retention_five_minutes", "retention_one_hour", "retention_size"];

    /// <summary>Reads the file; what a tenant does not say of its retention it has from the general one.</summary>
    /// <exception cref="ConfigurationException">The file cannot be read, is no YAML, or says something that is not allowed.</exception>
    public static IReadOnlyDictionary<TenantId, TenantStorageOptions> Read(string path, RetentionOptions general)
    {
        try
        {
            return Parse(path, File.ReadAllText(path), general);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"tenancy.overrides_file {path}: {e.Message}");
        }
    }

    /// <summary>Reads text; <paramref name="name"/> is what messages call it.</summary>
    public static IReadOnlyDictionary<TenantId, TenantStorageOptions> Parse(string name, string text, RetentionOptions general)
    {
        var tenants = new Dictionary<TenantId, TenantStorageOptions>();
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

            foreach (var (tenant, settings) in ConfigurationFile.Entries(name, content, "overrides"))
            {
                if (!TenantId.TryParse(ConfigurationFile.Scalar(name, tenant, "a tenant"), out var id, out var error))
                {
                    throw ConfigurationFile.Error(name, tenant, $"no tenant id: {error}");
                }

                tenants[id] = Of(name, settings, general);
            }
        }

        return tenants;
    }

    private static TenantStorageOptions Of(string name, YamlNode settings, RetentionOptions general)
    {
        var found = new TenantStorageOptions { Retention = general };
        foreach (var (key, value) in ConfigurationFile.Entries(name, settings, "a tenant"))
        {
            var what = ConfigurationFile.Scalar(name, key, "a key");
            var text = ConfigurationFile.Scalar(name, value, $"a value of {what}");
            found = what switch
            {
                "out_of_order_window" => found with { OutOfOrderWindow = Duration(TimeSpan.FromDays(365)) },
                "retention" => found with { Retention = found.Retention! with { Raw = Kept() } },
                "retention_five_minutes" => found with { Retention = found.Retention! with { FiveMinutes = Kept() } },
                "retention_one_hour" => found with { Retention = found.Retention! with { OneHour = Kept() } },
                "retention_size" when ByteSize.TryParse(text, out var size) => found with { Retention = found.Retention! with { MaxBytes = size.Bytes } },
                "retention_size" => throw ConfigurationFile.Error(name, value, $"{what}: got \"{text}\", want a size such as 32MiB; 0 keeps all"),
                _ => throw ConfigurationFile.Error(name, key, $"unknown key \"{what}\"; allowed are {string.Join(", ", keys)}"),
            };

            TimeSpan? Kept() => Duration(TimeSpan.FromDays(36500)) is var most && most == TimeSpan.Zero ? null : most;

            TimeSpan Duration(TimeSpan most) => DurationText.TryParse(text, out var ms) && ms >= 0 && ms <= most.TotalMilliseconds
                ? TimeSpan.FromMilliseconds(ms)
                : throw ConfigurationFile.Error(name, value, $"{what}: got \"{text}\", want a duration such as 30s or 1h30m, 0 to {DurationText.Format(most)}");
        }

        return found;
    }
}
