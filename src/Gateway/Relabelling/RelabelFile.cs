using Metrics.Gateway.Configuration;

namespace Metrics.Gateway.Relabelling;

/// <summary>The file of <c>relabelling.file</c>: <c>metric_relabel_configs</c>, as Prometheus has it under a scrape. Messages name file, line and key.</summary>
internal static class RelabelFile
{
    private const string Rules = "metric_relabel_configs";

    /// <summary>Reads the file.</summary>
    /// <exception cref="ConfigurationException">It cannot be read, is no YAML, or says something that is not allowed.</exception>
    public static RelabelList Read(string path)
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
    public static RelabelList Parse(string name, string text)
    {
        var rules = RelabelList.Empty;
        if (ConfigurationFile.Parse(name, text) is { } root)
        {
            foreach (var (key, value) in ConfigurationFile.Entries(name, root, "the file"))
            {
                rules = ConfigurationFile.Scalar(name, key, "a key") == Rules
                    ? RelabelList.Read(name, value)
                    : throw ConfigurationFile.Error(name, key, $"unknown key \"{key}\"; allowed is {Rules}");
            }
        }

        return rules;
    }
}
