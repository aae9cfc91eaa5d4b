using System.Globalization;

namespace Metrics.ObjectStore;

/// <summary>The keys of one section, taken one by one. What nobody took when it is closed is unknown, and an error.</summary>
internal sealed class ConfigurationSection
{
    private readonly ConfigurationNode node;
    private readonly Dictionary<string, ConfigurationNode> entries = new(StringComparer.Ordinal);
    private readonly List<string> known = [];

    /// <summary>Opens a section.</summary>
    /// <exception cref="ObjectStoreConfigurationException">It is not a section.</exception>
    public ConfigurationSection(ConfigurationNode node)
    {
        this.node = node;
        if (node.Text is not null)
        {
            throw node.Wrong("a text, a section with keys is expected");
        }

        foreach (var (key, value) in node.Entries ?? [])
        {
            entries.Add(key, value);
        }
    }

    /// <summary>The node of a key, or null when it is not there or is nothing; the key counts as known from now on.</summary>
    public ConfigurationNode? Take(string key)
    {
        known.Add(key);
        return entries.GetValueOrDefault(key) is { IsNothing: false } value ? value : null;
    }

    /// <summary>A text; empty when it is not there.</summary>
    public string Text(string key) => Take(key) is { } value ? TextOf(value) : "";

    /// <summary>A text that must be there.</summary>
    public string Required(string key) =>
        Text(key) is { Length: > 0 } text ? text : throw (entries.GetValueOrDefault(key) ?? node).Wrong($"{key} is missing or empty");

    /// <summary>One of some words.</summary>
    public T Choice<T>(string key, T missing, params (string Word, T Value)[] choices)
    {
        if (Take(key) is not { } value || TextOf(value).Length == 0)
        {
            return missing;
        }

        var text = TextOf(value);
        foreach (var (word, choice) in choices)
        {
            if (string.Equals(word, text, StringComparison.OrdinalIgnoreCase))
            {
                return choice;
            }
        }

        throw value.Wrong($"got \"{text}\", want one of: {string.Join(", ", choices.Select(c => c.Word))}");
    }

    /// <summary>As YAML 1.1 writes truth, since Go programs read it so.</summary>
    public bool Flag(string key, bool missing = false)
    {
        if (Take(key) is not { } value)
        {
            return missing;
        }

        var text = TextOf(value);
        return text.ToLowerInvariant() switch
        {
            "true" or "yes" or "on" or "y" => true,
            "false" or "no" or "off" or "n" => false,
            _ => throw value.Wrong($"got \"{text}\", want true or false"),
        };
    }

    /// <summary>A whole number within bounds.</summary>
    public long Number(string key, long missing, long least, long most)
    {
        if (Take(key) is not { } value)
        {
            return missing;
        }

        var text = TextOf(value);
        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw value.Wrong($"got \"{text}\", want a whole number from {least} to {most}");
    }

    /// <summary>A duration as Prometheus writes it (<c>1m30s</c>), more than nothing and at most a day.</summary>
    public TimeSpan Duration(string key, TimeSpan missing, bool zeroAllowed = false)
    {
        if (Take(key) is not { } value)
        {
            return missing;
        }

        var text = TextOf(value);
        return TryParseDuration(text, out var duration) && duration <= TimeSpan.FromDays(1) && (duration > TimeSpan.Zero || zeroAllowed)
            ? duration
            : throw value.Wrong($"got \"{text}\", want a duration such as 30s or 1m30s, at most 1d");
    }

    /// <summary>A section; an empty one when it is not there.</summary>
    public ConfigurationSection Section(string key) => new(Take(key) ?? ConfigurationNode.Parse("", node.Source));

    /// <summary>Names with texts, whatever the names are.</summary>
    public Dictionary<string, string> Texts(string key)
    {
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        if (Take(key) is not { } value)
        {
            return texts;
        }

        if (value.Entries is null)
        {
            throw value.Wrong("a text, names with values are expected");
        }

        foreach (var (name, text) in value.Entries)
        {
            texts.Add(name, text.IsNothing ? "" : TextOf(text));
        }

        return texts;
    }

    /// <summary>Refuses a setting that we know and do not have.</summary>
    public void NotSupported(string key, string reason)
    {
        if (Take(key) is { } value)
        {
            throw value.Wrong($"not supported: {reason}");
        }
    }

    /// <summary>Where a key is, for a message about its value; the section when it is not there.</summary>
    public ConfigurationNode At(string key) => entries.GetValueOrDefault(key) ?? node;

    /// <summary>Ends the reading.</summary>
    /// <exception cref="ObjectStoreConfigurationException">There are keys that nobody took.</exception>
    public void Close()
    {
        foreach (var (key, value) in entries)
        {
            if (!known.Contains(key))
            {
                throw value.Wrong($"unknown key; known here: {string.Join(", ", known.Order(StringComparer.Ordinal))}");
            }
        }
    }

    internal static bool TryParseDuration(ReadOnlySpan<char> text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        if (text is "0")
        {
            return true;
        }

        if (text.IsEmpty)
        {
            return false;
        }

        // Each unit once at most, from long to short.
        ReadOnlySpan<string> units = ["w", "d", "h", "m", "s", "ms"];
        ReadOnlySpan<long> lengthsMs = [604_800_000, 86_400_000, 3_600_000, 60_000, 1_000, 1];
        var unit = 0;
        var totalMs = 0L;
        while (!text.IsEmpty)
        {
            var digits = text.IndexOfAnyExceptInRange('0', '9');
            if (digits is <= 0 or > 9)
            {
                return false;
            }

            var number = long.Parse(text[..digits], NumberStyles.None, CultureInfo.InvariantCulture);
            text = text[digits..];
            var letters = text.IndexOfAnyInRange('0', '9');
            var word = letters < 0 ? text : text[..letters];
            while (unit < units.Length && !word.SequenceEqual(units[unit]))
            {
                unit++;
            }

            if (unit == units.Length)
            {
                return false;
            }

            totalMs += number * lengthsMs[unit++];
            text = text[word.Length..];
        }

        duration = TimeSpan.FromMilliseconds(totalMs);
        return true;
    }

    private static string TextOf(ConfigurationNode value) => value.Text ?? throw value.Wrong("a section, a text is expected");
}
