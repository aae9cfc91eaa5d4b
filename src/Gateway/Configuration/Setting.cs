using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;

namespace Metrics.Gateway.Configuration;

/// <summary>One setting: its key, its flag, and how its text becomes a value.</summary>
internal sealed partial class Setting
{
    private readonly PropertyInfo section;
    private readonly PropertyInfo property;
    private readonly SettingAttribute about;

    public Setting(PropertyInfo section, PropertyInfo property, SettingAttribute about)
    {
        this.section = section;
        this.property = property;
        this.about = about;
        Section = SnakeCase(section.Name);
        Name = SnakeCase(property.Name);
        Flag = "--" + (about.Flag ?? $"{Section}-{Name}".Replace('_', '-'));
    }

    /// <summary>The section of the file, e.g. <c>remote_write</c>.</summary>
    public string Section { get; }

    /// <summary>The key in the section, e.g. <c>max_body</c>.</summary>
    public string Name { get; }

    /// <summary>Section and key, e.g. <c>remote_write.max_body</c>.</summary>
    public string Key => $"{Section}.{Name}";

    /// <summary>The flag, e.g. <c>--remote-write-max-body</c>.</summary>
    public string Flag { get; }

    /// <summary>What it does.</summary>
    public string Summary => about.Summary;

    /// <summary>The value in an instance of the section's class.</summary>
    public object? ValueIn(object instance) => property.GetValue(instance);

    /// <summary>True when the value is a list.</summary>
    public bool IsList => property.PropertyType == typeof(IReadOnlyList<string>);

    /// <summary>What may be given, in words.</summary>
    public string Allowed
    {
        get
        {
            var type = property.PropertyType;
            var kind = type == typeof(bool) ? "true or false"
                : type == typeof(int) || type == typeof(long) ? "a whole number"
                : type == typeof(TimeSpan) ? "a duration such as 30s or 1h30m"
                : type == typeof(ByteSize) ? "a size such as 32MiB"
                : type.IsEnum ? "one of " + string.Join(", ", Enum.GetNames(type).Select(SnakeCase))
                : IsList ? "a list of names" : "text";
            return (about.Min, about.Max) switch
            {
                (not null, not null) => $"{kind}, {about.Min} to {about.Max}",
                (not null, null) => $"{kind}, at least {about.Min}",
                (null, not null) => $"{kind}, at most {about.Max}",
                _ => kind,
            };
        }
    }

    /// <summary>The value in the notation of the file.</summary>
    public string Show(GatewayOptions options) => ShowIn(section.GetValue(options)!);

    /// <summary>The value as others may see it: without secrets, also those in URLs.</summary>
    public string ShowSafe(GatewayOptions options) => Show(options) is not { Length: > 0 } text ? "" : about.IsSecret ? "<secret>" : UrlPassword().Replace(text, "${user}<secret>@");

    /// <summary>The value in an instance of the section's class, in the notation of the file.</summary>
    public string ShowIn(object instance) => property.GetValue(instance) switch
    {
        TimeSpan duration => DurationText.Format(duration),
        bool flag => flag ? "true" : "false",
        Enum value => SnakeCase(value.ToString()),
        IReadOnlyList<string> list => $"[{string.Join(", ", list)}]",
        string text => text,
        var other => Convert.ToString(other, CultureInfo.InvariantCulture) ?? "",
    };

    /// <summary>Sets the value from its notation; a list from several.</summary>
    /// <exception cref="ConfigurationException">The text is not allowed here; the message starts with <paramref name="source"/>.</exception>
    public void Set(GatewayOptions options, IReadOnlyList<string> texts, string source) => SetIn(section.GetValue(options)!, texts, source);

    /// <summary>Sets the value in an instance of the section's class.</summary>
    /// <exception cref="ConfigurationException">The text is not allowed here; the message starts with <paramref name="source"/>.</exception>
    public void SetIn(object instance, IReadOnlyList<string> texts, string source)
    {
        if (IsList)
        {
            property.SetValue(instance, texts.SelectMany(t => t.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)).ToArray());
            return;
        }

        var text = texts.Count == 1 ? texts[0] : throw new ConfigurationException($"{source}: given {texts.Count} values; allowed is {Allowed}");
        var value = Parse(property.PropertyType, text);
        if (value is null || (about.Min is not null && Compare(value, about.Min) < 0) || (about.Max is not null && Compare(value, about.Max) > 0))
        {
            throw new ConfigurationException($"{source}: \"{text}\" is not allowed; allowed is {Allowed}");
        }

        property.SetValue(instance, value);
    }

    /// <summary>MaxBody to max_body.</summary>
    public static string SnakeCase(string name) =>
        string.Concat(name.Select((c, i) => char.IsAsciiLetterUpper(c) ? (i == 0 ? "" : "_") + char.ToLowerInvariant(c) : c.ToString()));

    [GeneratedRegex("(?<user>://[^/@:]*:)[^/@]*@", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex UrlPassword();

    private static int Compare(object value, string bound) => ((IComparable)ToComparable(value)).CompareTo(ToComparable(Parse(value.GetType(), bound)!));

    private static object ToComparable(object value) => value is ByteSize size ? size.Bytes : value;

    private static object? Parse(Type type, string text)
    {
        if (type == typeof(string))
        {
            return text;
        }

        if (type == typeof(bool))
        {
            return text switch { "true" => true, "false" => false, _ => null };
        }

        if (type == typeof(int))
        {
            return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;
        }

        if (type == typeof(long))
        {
            return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;
        }

        if (type == typeof(TimeSpan))
        {
            return DurationText.TryParse(text, out var ms) && ms <= TimeSpan.MaxValue.TotalMilliseconds ? TimeSpan.FromMilliseconds(ms) : null;
        }

        if (type == typeof(ByteSize))
        {
            return ByteSize.TryParse(text, out var size) ? size : null;
        }

        var names = Enum.GetNames(type);
        var at = Array.FindIndex(names, n => SnakeCase(n) == text);
        return at < 0 ? null : Enum.Parse(type, names[at]);
    }
}
