namespace Metrics.Gateway.Configuration;

/// <summary>Makes a property of an options class a setting: a key in the configuration file and a flag of <c>serve</c>.</summary>
/// <remarks>The catalog, the parser of the file, the flags, the messages and the test of docs/configuration.md all read this; nothing repeats it.</remarks>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SettingAttribute(string summary) : Attribute
{
    /// <summary>What it does, in one line, for <c>--help</c> and the docs.</summary>
    public string Summary { get; } = summary;

    /// <summary>The flag without dashes, when it is not <c>section-key</c>.</summary>
    public string? Flag { get; init; }

    /// <summary>True when the value itself may hold a secret and is not to be shown.</summary>
    public bool IsSecret { get; init; }

    /// <summary>The smallest value allowed, in the notation of the setting; null for none.</summary>
    public string? Min { get; init; }

    /// <summary>The largest value allowed, in the notation of the setting; null for none.</summary>
    public string? Max { get; init; }
}
