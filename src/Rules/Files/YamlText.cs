using System.Buffers;
using System.Globalization;
using Metrics.PromQL.Parsing;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.RepresentationModel;

namespace Metrics.Rules.Files;

/// <summary>YAML as it is read from strangers: bounded in size and depth, and strict about keys and types.</summary>
/// <remarks>Errors are collected, worded as Go's yaml package words them.</remarks>
internal sealed class YamlText
{
    private const int MaxChars = 16 << 20;
    private const int MaxDepth = 32;
    private const int MaxNodes = 2_000_000;

    private static readonly SearchValues<char> controls =
        SearchValues.Create([.. Enumerable.Range(0, 32).Where(static c => c is not (9 or 10 or 13)).Append(127).Select(static c => (char)c)]);

    private readonly List<RuleFileError> errors = [];

    /// <summary>Keys and types that were wrong.</summary>
    public IReadOnlyList<RuleFileError> Errors => errors;

    /// <summary>The root of the first document, or null when there is none; <paramref name="documents"/> tells how many there are.</summary>
    /// <exception cref="YamlException">The text is no YAML, too large or too deep.</exception>
    public static YamlNode? Load(string text, out int documents)
    {
        CheckShape(text, out documents);
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        return stream.Documents.Count == 0 || IsNull(stream.Documents[0].RootNode) ? null : stream.Documents[0].RootNode;
    }

    /// <summary>True for a node that says nothing.</summary>
    public static bool IsNull(YamlNode node) => node is YamlScalarNode { Style: ScalarStyle.Plain, Value: null or "" or "~" or "null" or "Null" or "NULL" };

    /// <summary>The line of a node, from 1.</summary>
    public static int LineOf(YamlNode node) => (int)node.Start.Line;

    /// <summary>Adds an error about a node.</summary>
    public void Fail(YamlNode at, string message) => errors.Add(new RuleFileError($"line {LineOf(at)}: {message}", LineOf(at)));

    /// <summary>The entries of a mapping with known keys; others are errors.</summary>
    public IEnumerable<(string Key, YamlNode Value, YamlNode KeyNode)> Fields(YamlNode node, string type, params string[] known)
    {
        if (IsNull(node))
        {
            yield break;
        }

        if (node is not YamlMappingNode mapping)
        {
            Fail(node, $"cannot unmarshal {Describe(node)} into {type}");
            yield break;
        }

        foreach (var (key, value) in mapping.Children)
        {
            var name = (key as YamlScalarNode)?.Value ?? "";
            if (Array.IndexOf(known, name) < 0)
            {
                Fail(key, $"field {name} not found in type {type}");
            }
            else
            {
                yield return (name, value, key);
            }
        }
    }

    /// <summary>The items of a sequence.</summary>
    public IReadOnlyList<YamlNode> Items(YamlNode node, string type)
    {
        if (node is YamlSequenceNode list)
        {
            return [.. list.Children];
        }

        if (!IsNull(node))
        {
            Fail(node, $"cannot unmarshal {Describe(node)} into {type}");
        }

        return [];
    }

    /// <summary>A string; any scalar will do.</summary>
    public string Text(YamlNode node)
    {
        if (node is YamlScalarNode scalar)
        {
            return IsNull(node) ? "" : scalar.Value ?? "";
        }

        Fail(node, $"cannot unmarshal {Describe(node)} into string");
        return "";
    }

    /// <summary>A whole number.</summary>
    public int Whole(YamlNode node)
    {
        var text = Text(node);
        if (!int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && text.Length > 0)
        {
            Fail(node, $"cannot unmarshal {Describe(node)} `{text}` into int");
        }

        return value;
    }

    /// <summary>True or false.</summary>
    public bool Flag(YamlNode node)
    {
        switch (Text(node))
        {
            case "true" or "True" or "TRUE" or "yes" or "on":
                return true;
            case "" or "false" or "False" or "FALSE" or "no" or "off":
                return false;
            default:
                Fail(node, $"cannot unmarshal {Describe(node)} `{Text(node)}` into bool");
                return false;
        }
    }

    /// <summary>A duration in Prometheus's notation, milliseconds.</summary>
    public long DurationMs(YamlNode node)
    {
        var text = Text(node);
        if (PromDuration.TryParse(text, out var ms, out var error))
        {
            return ms;
        }

        Fail(node, error);
        return 0;
    }

    /// <summary>A mapping of strings to strings, ascending by key.</summary>
    public IReadOnlyDictionary<string, string> Map(YamlNode node)
    {
        if (IsNull(node))
        {
            return RuleGroupSpec.NoLabels;
        }

        if (node is not YamlMappingNode mapping)
        {
            Fail(node, $"cannot unmarshal {Describe(node)} into map[string]string");
            return RuleGroupSpec.NoLabels;
        }

        var map = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in mapping.Children)
        {
            map[Text(key)] = Text(value);
        }

        return map;
    }

    private static string Describe(YamlNode node) => node switch
    {
        YamlMappingNode => "!!map",
        YamlSequenceNode => "!!seq",
        YamlScalarNode { Style: ScalarStyle.Plain } scalar when double.TryParse(scalar.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out _) => "!!int",
        _ => "!!str",
    };

    /// <summary>Refuses what would take too much memory or stack to load.</summary>
    private static void CheckShape(string text, out int documents)
    {
        if (text.Length > MaxChars)
        {
            throw new YamlException($"text of {text.Length} characters, allowed are {MaxChars}");
        }

        if (text.AsSpan().IndexOfAny(controls) >= 0)
        {
            throw new YamlException("control characters are not allowed");
        }

        documents = 0;
        var depth = 0;
        var nodes = 0;
        var parser = new Parser(new StringReader(text));
        while (parser.MoveNext())
        {
            switch (parser.Current)
            {
                case DocumentStart:
                    documents++;
                    break;
                case MappingStart or SequenceStart:
                    depth++;
                    break;
                case MappingEnd or SequenceEnd:
                    depth--;
                    break;
            }

            if (depth > MaxDepth || ++nodes > MaxNodes)
            {
                var at = parser.Current!.Start;
                throw new YamlException(at, at, depth > MaxDepth ? $"nested deeper than {MaxDepth}" : $"more than {MaxNodes} nodes");
            }
        }
    }
}
