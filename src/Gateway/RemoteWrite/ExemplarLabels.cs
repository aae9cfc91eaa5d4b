using System.Text;
using Metrics.Model;
using Metrics.Wire;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>Takes the labels of exemplars; those that are no text count as too long.</summary>
internal static class ExemplarLabels
{
    /// <summary>Adds a label; gives its characters.</summary>
    public static int Add(LabelField label, LabelsBuilder to)
    {
        if (!System.Text.Unicode.Utf8.IsValid(label.Name) || !System.Text.Unicode.Utf8.IsValid(label.Value))
        {
            return short.MaxValue;
        }

        var (name, value) = (Encoding.UTF8.GetString(label.Name), Encoding.UTF8.GetString(label.Value));
        to.Set(name, value);
        return name.EnumerateRunes().Count() + value.EnumerateRunes().Count();
    }
}
