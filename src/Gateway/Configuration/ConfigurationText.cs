using System.Text;

namespace Metrics.Gateway.Configuration;

/// <summary>Settings as YAML, in the shape of the configuration file and without secrets.</summary>
internal static class ConfigurationText
{
    /// <summary>The settings that a condition holds for.</summary>
    public static string Of(GatewayOptions options, Predicate<Setting>? wanted = null)
    {
        var yaml = new StringBuilder();
        foreach (var section in SettingCatalog.Sections)
        {
            var settings = SettingCatalog.In(section).Where(s => wanted is null || wanted(s)).ToList();
            if (settings.Count == 0)
            {
                continue;
            }

            yaml.Append(section).Append(":\n");
            foreach (var setting in settings)
            {
                yaml.Append("  ").Append(setting.Name).Append(": ").Append(Quoted(setting.ShowSafe(options))).Append('\n');
            }
        }

        return yaml.ToString();
    }

    /// <summary>The settings that are not as they are when nothing is said.</summary>
    public static string Difference(GatewayOptions options)
    {
        var defaults = new GatewayOptions();
        return Of(options, setting => setting.Show(options) != setting.Show(defaults));
    }

    /// <summary>A value, in quotes where YAML wants them.</summary>
    public static string Quoted(string value) => value.Length == 0 || value[0] is '*' ? $"\"{value}\"" : value;
}
