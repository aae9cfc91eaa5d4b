using System.Text;
using Metrics.Model;

namespace Metrics.PromQL.Execution;

/// <summary>Label sets as Prometheus writes them in error messages: everything in braces, the name included.</summary>
internal static class LabelNotation
{
    public static string Of(Labels labels)
    {
        var text = new StringBuilder("{");
        foreach (var (name, value) in labels.AsEnumerable())
        {
            if (text.Length > 1)
            {
                text.Append(", ");
            }

            text.Append(LabelsText.IsClassicLabelName(name) ? name : LabelsText.Quote(name)).Append('=').Append(LabelsText.Quote(value));
        }

        return text.Append('}').ToString();
    }
}
