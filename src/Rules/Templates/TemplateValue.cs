using System.Text;
using Metrics.Model;

namespace Metrics.Rules.Templates;

/// <summary>Text that is HTML already.</summary>
internal sealed record SafeHtml(string Text)
{
    public override string ToString() => Text;
}

/// <summary>A map with strings as keys; a missing key gives the zero value of its elements.</summary>
internal sealed record TemplateMap(IReadOnlyDictionary<string, object?> Entries, object? Zero, string TypeName)
{
    /// <summary>The labels of a series as <c>map[string]string</c>.</summary>
    public static TemplateMap Of(Labels labels)
    {
        var entries = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (var (name, value) in labels.AsEnumerable())
        {
            entries[name] = value;
        }

        return new TemplateMap(entries, "", "map[string]string");
    }

    public object? this[string key] => Entries.TryGetValue(key, out var value) ? value : Zero;
}

/// <summary>One element of a query's result.</summary>
internal sealed record TemplateSample(TemplateMap Labels, object Value);

/// <summary>What an alert's templates see as dot.</summary>
internal sealed record AlertData(TemplateMap Labels, TemplateMap ExternalLabels, string ExternalUrl, object Value);

/// <summary>
/// What Go does with values of any type: truth, text, comparison. Values are null, bool, long, double, string, <see cref="SafeHtml"/>,
/// <see cref="DateTime"/> (UTC), <see cref="TimeSpan"/>, <see cref="FloatHistogram"/>, <see cref="TemplateMap"/>, <see cref="TemplateSample"/>, <see cref="AlertData"/>, and lists of these.
/// </summary>
internal static class TemplateValue
{
    private const int MaxPrintDepth = 20;

    /// <summary>True for what <c>if</c> takes as true.</summary>
    public static bool IsTrue(object? value) => value switch
    {
        null => false,
        bool flag => flag,
        long whole => whole != 0,
        double number => number != 0,
        string text => text.Length > 0,
        SafeHtml html => html.Text.Length > 0,
        TimeSpan duration => duration != TimeSpan.Zero,
        TemplateMap map => map.Entries.Count > 0,
        IReadOnlyList<object?> list => list.Count > 0,
        _ => true,
    };

    /// <summary>The text of <c>%v</c>, except that nothing is <c>&lt;no value&gt;</c> when it is printed on its own.</summary>
    public static string Text(object? value) => Text(value, 0);

    /// <summary>Go's name of the type.</summary>
    public static string TypeName(object? value) => value switch
    {
        null => "nil",
        bool => "bool",
        long => "int",
        double => "float64",
        string => "string",
        SafeHtml => "template.HTML",
        DateTime => "*time.Time",
        TimeSpan => "*time.Duration",
        FloatHistogram => "*histogram.FloatHistogram",
        TemplateMap map => map.TypeName,
        TemplateSample => "*template.sample",
        AlertData => "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }",
        IReadOnlyList<object?> => "template.queryResult",
        _ => value.GetType().Name,
    };

    /// <summary>The value of a field, key or method without arguments.</summary>
    /// <exception cref="TemplateFault">There is none.</exception>
    public static object? Field(object? value, string name) => (value, name) switch
    {
        (TemplateMap map, _) => map[name],
        (TemplateSample sample, "Labels") => sample.Labels,
        (TemplateSample sample, "Value") => sample.Value,
        (AlertData data, "Labels") => data.Labels,
        (AlertData data, "ExternalLabels") => data.ExternalLabels,
        (AlertData data, "ExternalURL") => data.ExternalUrl,
        (AlertData data, "Value") => data.Value,
        (FloatHistogram histogram, "Count") => histogram.Count,
        (FloatHistogram histogram, "Sum") => histogram.Sum,
        (FloatHistogram histogram, "ZeroCount") => histogram.ZeroCount,
        (FloatHistogram histogram, "Schema") => (long)histogram.Schema,
        (null, _) => throw new TemplateFault($"nil data; no entry for key \"{name}\""),
        _ => throw new TemplateFault($"can't evaluate field {name} in type {TypeName(value)}"),
    };

    /// <summary><c>eq</c>.</summary>
    /// <exception cref="TemplateFault">The types do not compare.</exception>
    public static bool AreEqual(object? left, object? right) => (left, right) switch
    {
        (null, null) => true,
        (null, _) or (_, null) => IsBasic(left ?? right) ? throw new TemplateFault("incompatible types for comparison") : false,
        (bool a, bool b) => a == b,
        (long a, long b) => a == b,
        (double a, double b) => a == b,
        (string or SafeHtml, string or SafeHtml) => string.Equals(left.ToString(), right.ToString(), StringComparison.Ordinal),
        (TimeSpan a, TimeSpan b) => a == b,
        (DateTime a, DateTime b) => a == b,
        _ when !IsBasic(left) || !IsBasic(right) => throw new TemplateFault($"non-comparable type {Text(left)}: {TypeName(IsBasic(left) ? right : left)}"),
        _ => throw new TemplateFault("incompatible types for comparison"),
    };

    /// <summary><c>lt</c>.</summary>
    /// <exception cref="TemplateFault">The types have no order.</exception>
    public static bool IsLess(object? left, object? right) => (left, right) switch
    {
        (long a, long b) => a < b,
        (double a, double b) => a < b,
        (string or SafeHtml, string or SafeHtml) => Order(left.ToString()!, right.ToString()!) < 0,
        (TimeSpan a, TimeSpan b) => a < b,
        _ when !IsBasic(left) || !IsBasic(right) || (left is bool && right is bool) => throw new TemplateFault("invalid type for comparison"),
        _ => throw new TemplateFault("incompatible types for comparison"),
    };

    /// <summary>Compares strings by their UTF-8 bytes.</summary>
    public static int Order(string left, string right) => Encoding.UTF8.GetBytes(left).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(right));

    private static bool IsBasic(object? value) => value is bool or long or double or string or SafeHtml or TimeSpan;

    private static string Text(object? value, int depth)
    {
        if (depth > MaxPrintDepth)
        {
            throw new TemplateFault("value nests too deeply to be printed");
        }

        switch (value)
        {
            case null: return depth == 0 ? "<no value>" : "<nil>";
            case bool flag: return flag ? "true" : "false";
            case long whole: return whole.ToString();
            case double number: return GoFloatText.Format(number, 'g', -1);
            case DateTime time: return GoTime.Text(time);
            case TimeSpan duration: return GoTime.Text(duration);
            case TemplateMap map:
                var keys = map.Entries.Keys.ToList();
                keys.Sort(Order);
                return $"map[{string.Join(' ', keys.Select(k => $"{k}:{Text(map[k], depth + 1)}"))}]";
            case TemplateSample sample: return $"{{{Text(sample.Labels, depth + 1)} {Text(sample.Value, depth + 1)}}}";
            case AlertData data: return $"{{{Text(data.Labels, depth + 1)} {Text(data.ExternalLabels, depth + 1)} {data.ExternalUrl} {Text(data.Value, depth + 1)}}}";
            case IReadOnlyList<object?> list: return $"[{string.Join(' ', list.Select(v => Text(v, depth + 1)))}]";
            default: return value.ToString() ?? "";
        }
    }
}
