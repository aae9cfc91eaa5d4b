using System.Reflection;

namespace Metrics.Gateway.Configuration;

/// <summary>Every setting there is, in the order of the options classes.</summary>
internal static class SettingCatalog
{
    /// <summary>All settings.</summary>
    public static IReadOnlyList<Setting> All { get; } =
    [
        .. from section in typeof(GatewayOptions).GetProperties()
           from property in section.PropertyType.GetProperties()
           let about = property.GetCustomAttribute<SettingAttribute>()
           where about is not null
           select new Setting(section, property, about),
    ];

    /// <summary>The names of the sections, in order.</summary>
    public static IReadOnlyList<string> Sections { get; } = [.. All.Select(s => s.Section).Distinct(StringComparer.Ordinal)];

    /// <summary>The settings of a section, in order.</summary>
    public static IEnumerable<Setting> In(string section) => All.Where(s => s.Section == section);
}
