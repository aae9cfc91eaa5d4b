using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Metrics.ObjectStore;

/// <summary>A value in a configuration file with the line it is on: a text, nothing, or keys with values.</summary>
/// <remarks>A plain tree of the YAML that such files use. Lists, anchors, aliases and tags have no use here and are refused, so no file can blow up.</remarks>
internal sealed class ConfigurationNode
{
    /// <summary>The real files have under a hundred lines.</summary>
    private const int MaxChars = 1 << 20;

    private const int MaxDepth = 10;

    private ConfigurationNode(string source, string path, long line) => (Source, Path, Line) = (source, path, line);

    public string Source { get; }

    /// <summary>The keys from the top, joined by dots; empty for the whole file.</summary>
    public string Path { get; }

    public long Line { get; }

    /// <summary>The text, or null when this is keys with values or nothing.</summary>
    public string? Text { get; private init; }

    /// <summary>The keys in the order of the file, or null when this is a text or nothing.</summary>
    public List<(string Key, ConfigurationNode Value)>? Entries { get; private init; }

    public bool IsNothing => Text is null && Entries is null;

    /// <summary>Reads a text.</summary>
    /// <exception cref="ObjectStoreConfigurationException">It is not YAML of this kind.</exception>
    public static ConfigurationNode Parse(string yaml, string source)
    {
        if (yaml.Length > MaxChars)
        {
            throw new ObjectStoreConfigurationException($"{source}: {yaml.Length} characters, at most {MaxChars} are read");
        }

        try
        {
            var parser = new Parser(new StringReader(yaml));
            parser.Consume<StreamStart>();
            if (!parser.TryConsume<DocumentStart>(out _))
            {
                return new ConfigurationNode(source, "", 1);
            }

            var node = ReadNode(parser, source, "", depth: 0);
            parser.Consume<DocumentEnd>();
            return parser.Accept<StreamEnd>(out _)
                ? node
                : throw new ObjectStoreConfigurationException($"{source}:{parser.Current?.Start.Line}: a second document, one is expected");
        }
        catch (YamlException e)
        {
            // The parser's own message may quote the text, and so a secret.
            throw new ObjectStoreConfigurationException($"{source}:{e.Start.Line}: not YAML, at column {e.Start.Column}");
        }
    }

    public ObjectStoreConfigurationException Wrong(string problem) =>
        new(Path.Length == 0 ? $"{Source}:{Line}: {problem}" : $"{Source}:{Line}: {Path}: {problem}");

    private static ConfigurationNode ReadNode(Parser parser, string source, string path, int depth)
    {
        var at = parser.Current ?? throw new ObjectStoreConfigurationException($"{source}: the file ends early");
        var here = new ConfigurationNode(source, path, at.Start.Line);
        if (depth > MaxDepth)
        {
            throw here.Wrong($"nested deeper than {MaxDepth} levels");
        }

        switch (at)
        {
            case Scalar scalar:
                Refuse(here, scalar);
                parser.MoveNext();
                var nothing = scalar.Style == ScalarStyle.Plain && scalar.Value is "" or "~" or "null" or "Null" or "NULL";
                return new ConfigurationNode(source, path, at.Start.Line) { Text = nothing ? null : scalar.Value };
            case MappingStart mapping:
                Refuse(here, mapping);
                parser.MoveNext();
                return ReadEntries(parser, here, depth);
            default:
                throw here.Wrong(at is SequenceStart ? "a list, none is expected here" : "an alias, none is expected here");
        }
    }

    private static ConfigurationNode ReadEntries(Parser parser, ConfigurationNode here, int depth)
    {
        var entries = new List<(string Key, ConfigurationNode Value)>();
        var known = new HashSet<string>(StringComparer.Ordinal);
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            if (parser.Current is not Scalar key)
            {
                throw new ConfigurationNode(here.Source, here.Path, parser.Current?.Start.Line ?? here.Line).Wrong("a key that is not a plain name");
            }

            parser.MoveNext();
            var path = here.Path.Length == 0 ? key.Value : $"{here.Path}.{key.Value}";
            if (!known.Add(key.Value))
            {
                throw new ConfigurationNode(here.Source, path, key.Start.Line).Wrong("given twice");
            }

            entries.Add((key.Value, ReadNode(parser, here.Source, path, depth + 1)));
        }

        return new ConfigurationNode(here.Source, here.Path, here.Line) { Entries = entries };
    }

    private static void Refuse(ConfigurationNode here, NodeEvent node)
    {
        if (!node.Anchor.IsEmpty || !node.Tag.IsEmpty)
        {
            throw here.Wrong("an anchor or a tag, none is expected here");
        }
    }
}
