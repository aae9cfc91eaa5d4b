using Metrics.Rules.Files;
using YamlDotNet.RepresentationModel;

namespace Metrics.Rules.Relabelling;

/// <summary>Lists of relabelling rules as other files hold them.</summary>
public static class RelabelRules
{
    /// <summary>Reads a YAML list as Prometheus has it under <c>metric_relabel_configs</c>.</summary>
    /// <exception cref="FormatException">Something in it is wrong; the message names the line.</exception>
    public static IReadOnlyList<RelabelRule> Read(YamlNode node)
    {
        var yaml = new YamlText();
        var rules = YamlText.IsNull(node) ? [] : RelabelReader.Read(yaml, node);
        return yaml.Errors.Count == 0 ? rules : throw new FormatException(yaml.Errors[0].Message);
    }
}
