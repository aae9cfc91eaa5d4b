using System.Text;

namespace Metrics.Model;

/// <summary>Label sets as Prometheus prints them.</summary>
public static class LabelsText
{
    /// <summary>Formats as <c>name{a="b"}</c>; a metric name that is not a classic identifier moves into the braces, quoted.</summary>
    public static string Format(Labels labels)
    {
        var text = new StringBuilder();
        var metric = labels[Labels.MetricName];
        var plain = IsClassicMetricName(metric);
        if (plain)
        {
            text.Append(metric);
        }

        var first = true;
        var open = false;
        if (metric.Length > 0 && !plain)
        {
            text.Append('{').Append(Quote(metric));
            open = true;
            first = false;
        }

        foreach (var (name, value) in labels.AsEnumerable())
        {
            if (name == Labels.MetricName)
            {
                continue;
            }

            text.Append(open ? "" : "{").Append(first ? "" : ", ");
            open = true;
            first = false;
            text.Append(IsClassicLabelName(name) ? name : Quote(name)).Append('=').Append(Quote(value));
        }

        if (open)
        {
            text.Append('}');
        }
        else if (metric.Length == 0)
        {
            text.Append("{}");
        }

        return text.ToString();
    }

    /// <summary>True for <c>[a-zA-Z_:][a-zA-Z0-9_:]*</c>.</summary>
    public static bool IsClassicMetricName(string name) => IsIdentifier(name, colons: true);

    /// <summary>True for <c>[a-zA-Z_][a-zA-Z0-9_]*</c>.</summary>
    public static bool IsClassicLabelName(string name) => IsIdentifier(name, colons: false);

    /// <summary>Quotes as Go's <c>strconv.Quote</c> does for the characters that matter in label values.</summary>
    public static string Quote(string value)
    {
        var text = new StringBuilder(value.Length + 2).Append('"');
        foreach (var rune in value.EnumerateRunes())
        {
            switch (rune.Value)
            {
                case '"': text.Append("\\\""); break;
                case '\\': text.Append("\\\\"); break;
                case '\a': text.Append("\\a"); break;
                case '\b': text.Append("\\b"); break;
                case '\f': text.Append("\\f"); break;
                case '\n': text.Append("\\n"); break;
                case '\r': text.Append("\\r"); break;
                case '\t': text.Append("\\t"); break;
                case '\v': text.Append("\\v"); break;
                case < 0x20 or 0x7f: text.Append("\\x").Append(rune.Value.ToString("x2")); break;
                default: text.Append(rune); break;
            }
        }

        return text.Append('"').ToString();
    }

    private static bool IsIdentifier(string name, bool colons)
    {
        if (name.Length == 0 || char.IsAsciiDigit(name[0]))
        {
            return false;
        }

        foreach (var c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c != '_' && !(colons && c == ':'))
            {
                return false;
            }
        }

        return true;
    }
}
