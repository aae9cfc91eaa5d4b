using Metrics.Rules.Relabelling;
using YamlDotNet.RepresentationModel;

namespace Metrics.Gateway.Relabelling;

/// <summary>Relabelling rules with the text they were read from, by which two lists are compared.</summary>
public sealed class RelabelList
{
    private RelabelList(IReadOnlyList<RelabelRule> rules, string text)
    {
        Rules = rules;
        Text = text;
    }

    /// <summary>No rules.</summary>
    public static RelabelList Empty { get; } = new([], "");

    /// <summary>The rules, in order.</summary>
    public IReadOnlyList<RelabelRule> Rules { get; }

    /// <summary>What they were read from, as YAML.</summary>
    public string Text { get; }

    /// <summary>Reads a list as Prometheus has it under <c>metric_relabel_configs</c>.</summary>
    /// <exception cref="FormatException">Something in it is wrong; the message names the line.</exception>
    public static RelabelList Read(YamlNode node) => new(RelabelRules.Read(node), node.ToString());
}
