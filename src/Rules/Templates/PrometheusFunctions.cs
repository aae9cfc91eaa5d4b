using System.Text;
using Metrics.Model;

namespace Metrics.Rules.Templates;

/// <summary>The functions that Prometheus adds to Go's.</summary>
internal static class PrometheusFunctions
{
    /// <summary>Adds all of them that need no query.</summary>
    public static void AddTo(Action<string, int, int, Func<TemplateCall, object?>> add)
    {
        add("first", 1, 1, static call => call.Vector(0) is [var sample, ..] ? sample : throw new TemplateFault("first() called on vector with no elements"));
        add("label", 2, 2, static call => call.Sample(1).Labels[call.Text(0)]);
        add("value", 1, 1, static call => call.Sample(0).Value);
        add("strvalue", 1, 1, static call => call.Sample(0).Labels["__value__"]);
        add("sortByLabel", 2, 2, SortByLabel);
        add("args", 0, int.MaxValue, Args);
        add("humanize", 1, 1, static call => Humanized.Metric(call.Number(0)));
        add("humanize1024", 1, 1, static call => Humanized.Binary(call.Number(0)));
        add("humanizeDuration", 1, 1, static call => Humanized.Duration(call.Number(0)));
        add("humanizePercentage", 1, 1, static call => Humanized.Percentage(call.Number(0)));
        add("humanizeTimestamp", 1, 1, static call => Humanized.Timestamp(call.Number(0)));
        add("toTime", 1, 1, static call => Humanized.ToTime(call.Number(0)));
        add("toDuration", 1, 1, static call => Duration(call.Number(0)));
        add("now", 0, 0, static call => call.Run.Environment.TimeMs / 1000.0);
        add("parseDuration", 1, 1, static call => Humanized.ParseDuration(call.Text(0)));
        add("title", 1, 1, static call => Title(call.Text(0)));
        add("toUpper", 1, 1, static call => call.Text(0).ToUpperInvariant());
        add("toLower", 1, 1, static call => call.Text(0).ToLowerInvariant());
        add("match", 2, 2, static call => CapturePattern.CompileSearch(call.Text(0)).IsMatch(call.Text(1)));
        add("reReplaceAll", 3, 3, static call => CapturePattern.CompileSearch(call.Text(0)).ReplaceAll(call.Text(2), call.Text(1)));
        add("safeHtml", 1, 1, static call => new SafeHtml(call.Text(0)));
        add("tableLink", 1, 1, static call => Escapes.TableLink(call.Text(0)));
        add("graphLink", 1, 1, static call => Escapes.GraphLink(call.Text(0)));
        add("urlQueryEscape", 1, 1, static call => Escapes.Query(call.Text(0)));
        add("stripPort", 1, 1, static call => HostPort.WithoutPort(call.Text(0)));
        add("stripDomain", 1, 1, static call => HostPort.WithoutDomain(call.Text(0)));
        add("externalURL", 0, 0, static call => call.Run.Environment.ExternalUrl);
        add("pathPrefix", 0, 0, static call => PathOf(call.Run.Environment.ExternalUrl));
    }

    /// <summary><c>query</c>.</summary>
    public static async ValueTask<object?> QueryAsync(TemplateCall call)
    {
        var vector = await call.Run.Environment.Query(call.Text(0), call.Run.Cancellation);
        var samples = new object?[vector.Samples.Count];
        for (var i = 0; i < samples.Length; i++)
        {
            var sample = vector.Samples[i];
            samples[i] = new TemplateSample(TemplateMap.Of(sample.Labels), (object?)sample.Histogram ?? sample.Value);
        }

        return samples;
    }

    private static object SortByLabel(TemplateCall call)
    {
        var label = call.Text(0);
        return call.Vector(1).OrderBy(s => (s as TemplateSample)?.Labels[label]?.ToString() ?? "", Comparer<string>.Create(TemplateValue.Order)).ToArray();
    }

    private static TemplateMap Args(TemplateCall call)
    {
        var entries = new Dictionary<string, object?>(StringComparer.Ordinal);
        for (var i = 0; i < call.Arguments.Length; i++)
        {
            entries["arg" + i] = call[i];
        }

        return new TemplateMap(entries, null, "map[string]interface {}");
    }

    private static TimeSpan Duration(double seconds)
    {
        var ticks = seconds * TimeSpan.TicksPerSecond;
        return new TimeSpan(double.IsNaN(ticks) || ticks <= long.MinValue ? long.MinValue : ticks >= long.MaxValue ? long.MaxValue : (long)ticks);
    }

    /// <summary>The first letter of each word in upper case, the others as they are. A quote or point between letters does not end a word.</summary>
    private static string Title(string text)
    {
        var titled = new StringBuilder(text.Length);
        var inWord = false;
        for (var i = 0; i < text.Length;)
        {
            Rune.DecodeFromUtf16(text.AsSpan(i), out var rune, out var width);
            var isLetter = Rune.IsLetter(rune);
            titled.Append(isLetter && !inWord ? Rune.ToUpperInvariant(rune) : rune);
            i += width;
            inWord = isLetter || Rune.IsDigit(rune) || rune.Value == '_'
                || (inWord && rune.Value is '\'' or '.' or ':' or 0x2019 or 0xB7 && i < text.Length && char.IsLetter(text[i]) && char.IsLetter(text[i - width - 1]));
        }

        return titled.ToString();
    }

    private static string PathOf(string url)
    {
        var authority = url.IndexOf("://", StringComparison.Ordinal);
        var path = authority < 0 ? 0 : url.IndexOf('/', authority + 3);
        return path < 0 ? "" : url[path..].Split('?', '#')[0];
    }
}
