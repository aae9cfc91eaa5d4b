using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Metrics.Gateway.Configuration;

/// <summary>Reads the YAML file: sections of settings, nothing else. Messages name file, line and key.</summary>
internal static class ConfigurationFile
{
    /// <summary>Applies the file to the options.</summary>
    /// <exception cref="ConfigurationException">The file cannot be read, is no YAML, or says something that is not allowed.</exception>
    public static void Apply(string path, GatewayOptions options)
    {
        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"--config-file {path}: {e.Message}");
        }

        Apply(path, text, options);
    }

    /// <summary>Applies text to the options; <paramref name="name"/> is what messages call it.</summary>
    public static void Apply(string name, string text, GatewayOptions options)
    {
        if (Parse(name, text) is not { } root)
        {
            return;
        }

        foreach (var (key, value) in Entries(name, root, "the file"))
        {
            var section = Scalar(name, key, "a section name");
            if (!SettingCatalog.Sections.Contains(section, StringComparer.Ordinal))
            {
                throw Error(name, key, $"unknown key \"{section}\"; allowed are {string.Join(", ", SettingCatalog.Sections)}");
            }

            if (value is YamlScalarNode { Value: null or "" })
            {
                continue;
            }

            foreach (var (settingKey, settingValue) in Entries(name, value, section))
            {
                ApplySetting(name, section, settingKey, settingValue, options);
            }
        }
    }

    private static void ApplySetting(string name, string section, YamlNode key, YamlNode value, GatewayOptions options)
    {
        var settingName = Scalar(name, key, "a key");
        var setting = SettingCatalog.In(section).FirstOrDefault(s => s.Name == settingName)
            ?? throw Error(name, key, $"unknown key \"{section}.{settingName}\"; allowed are {string.Join(", ", SettingCatalog.In(section).Select(s => s.Name))}");
        string[] texts = value is YamlSequenceNode list && setting.IsList
            ? [.. list.Children.Select(c => Scalar(name, c, $"an item of {setting.Key}"))]
            : [Scalar(name, value, $"{setting.Key} ({setting.Allowed})")];
        setting.Set(options, texts, $"{name}:{value.Start.Line}: {setting.Key}");
    }

    /// <summary>The root of a file of one document; null when it is empty.</summary>
    /// <exception cref="ConfigurationException">It is no YAML.</exception>
    internal static YamlNode? Parse(string name, string text)
    {
        var yaml = new YamlStream();
        try
        {
            yaml.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            throw new ConfigurationException($"{name}:{e.Start.Line}: not valid YAML: {e.Message}");
        }

        if (yaml.Documents.Count > 1)
        {
            throw new ConfigurationException($"{name}: holds {yaml.Documents.Count} documents; allowed is one");
        }

        return yaml.Documents.Count == 0 || yaml.Documents[0].RootNode is YamlScalarNode { Value: null or "" } ? null : yaml.Documents[0].RootNode;
    }

    internal static IEnumerable<KeyValuePair<YamlNode, YamlNode>> Entries(string name, YamlNode node, string what) =>
        node is YamlMappingNode mapping ? mapping.Children : throw Error(name, node, $"{what} must hold keys and values");

    internal static string Scalar(string name, YamlNode node, string what) =>
        node is YamlScalarNode scalar ? scalar.Value ?? "" : throw Error(name, node, $"want {what}, got a {node.NodeType.ToString().ToLowerInvariant()}");

    internal static TimeSpan Duration(string name, YamlNode node, string what, TimeSpan most) =>
        Scalar(name, node, $"a value of {what}") is var text && DurationText.TryParse(text, out var ms) && ms >= 0 && ms <= most.TotalMilliseconds
            ? TimeSpan.FromMilliseconds(ms)
            : throw Error(name, node, $"{what}: got \"{text}\", want a duration such as 30s or 1h30m, 0 to {DurationText.Format(most)}");

    internal static bool Flag(string name, YamlNode node, string what) => Scalar(name, node, $"a value of {what}") switch
    {
        "true" => true,
        "false" => false,
        var text => throw Error(name, node, $"{what}: got \"{text}\", want true or false"),
    };

    internal static ConfigurationException Error(string name, YamlNode at, string message) => new($"{name}:{at.Start.Line}: {message}");
}
