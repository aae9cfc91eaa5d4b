namespace Metrics.Rules.Templates;

/// <summary>Runs a query for a template at the time of its evaluation.</summary>
public delegate ValueTask<RuleVector> TemplateQuery(string query, CancellationToken cancellation);

/// <summary>What a template's functions need from outside.</summary>
/// <param name="Query">Evaluates a query at the template's time.</param>
/// <param name="TimeMs">The evaluation time, Unix milliseconds.</param>
/// <param name="ExternalUrl">The URL under which users reach the server, without a slash at the end; may be empty.</param>
public sealed record TemplateEnvironment(TemplateQuery Query, long TimeMs, string ExternalUrl);

/// <summary>A parsed template in the language of Prometheus's alerting rules. Immutable; one template may be executed by several threads.</summary>
public sealed class Template
{
    /// <summary>What Prometheus puts before each alert's template; it counts in the columns of errors.</summary>
    private const string AlertPrelude =
        "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}";

    private Template(string name, string source, IReadOnlyList<TemplateNode> body, Dictionary<string, IReadOnlyList<TemplateNode>> definitions)
    {
        Name = name;
        Source = source;
        Body = body;
        Definitions = definitions;
    }

    /// <summary>The name that errors show.</summary>
    public string Name { get; }

    /// <summary>The text, with what precedes it.</summary>
    internal string Source { get; }

    internal IReadOnlyList<TemplateNode> Body { get; }

    internal Dictionary<string, IReadOnlyList<TemplateNode>> Definitions { get; }

    /// <summary>Parses a label or annotation template of an alert.</summary>
    /// <exception cref="TemplateException">It does not parse.</exception>
    public static Template OfAlert(string alertName, string text) => Parse("__alert_" + alertName, text.Contains("{{") ? AlertPrelude + text : text);

    /// <summary>Parses a template.</summary>
    /// <exception cref="TemplateException">It does not parse.</exception>
    internal static Template Parse(string name, string text)
    {
        var definitions = new Dictionary<string, IReadOnlyList<TemplateNode>>(StringComparer.Ordinal);
        var body = TemplateParser.Parse(name, text, definitions);
        return new Template(name, text, body, definitions);
    }

    /// <summary>Executes the template for one alert.</summary>
    /// <exception cref="TemplateException">It failed.</exception>
    internal ValueTask<string> ExpandAsync(object? data, TemplateEnvironment environment, CancellationToken cancellation) =>
        Body is [] ? new("") : Body is [TextNode text] ? new(text.Text) : new TemplateRun(this, environment, cancellation).ExecuteAsync(data);
}
