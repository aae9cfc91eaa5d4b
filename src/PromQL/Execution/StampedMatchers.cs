using System.Text;
using Metrics.Model;

namespace Metrics.PromQL;

/// <summary>Series that are seen with one more label than they are stored with: the tenant's name, in reads that cross tenants.</summary>
public static class StampedMatchers
{
    /// <summary>The matchers that stored series have to satisfy, or null when the label itself does not satisfy those on it.</summary>
    public static IReadOnlyList<Matcher>? Of(IReadOnlyList<Matcher> matchers, KeyValuePair<string, string>? stamp)
    {
        if (stamp is not { } label)
        {
            return matchers;
        }

        var rest = new List<Matcher>(matchers.Count);
        foreach (var matcher in matchers)
        {
            if (matcher.Name != label.Key)
            {
                rest.Add(matcher);
            }
            else if (!matcher.Matches(Encoding.UTF8.GetBytes(label.Value)))
            {
                return null;
            }
        }

        return rest;
    }

    /// <summary>The labels as they are seen: what a series itself says under the label's name is seen as <c>original_NAME</c>, as in Mimir, so that no two become one.</summary>
    public static Labels Stamped(Labels labels, KeyValuePair<string, string> stamp)
    {
        var builder = new LabelsBuilder().Reset(labels).Set(stamp.Key, stamp.Value);
        return labels[stamp.Key] is { Length: > 0 } own ? builder.Set("original_" + stamp.Key, own).ToLabels() : builder.ToLabels();
    }
}
