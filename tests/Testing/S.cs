using Metrics.Model;

namespace Metrics.Testing;

/// <summary>Short notation for label sets in tests: <c>S.Of("up", "job", "api")</c>.</summary>
public static class S
{
    /// <summary>A metric name, then names and values in turn.</summary>
    public static Labels Of(string metric, params ReadOnlySpan<string> namesAndValues)
    {
        var builder = new LabelsBuilder().Set(Labels.MetricName, metric);
        for (var i = 0; i < namesAndValues.Length; i += 2)
        {
            builder.Set(namesAndValues[i], namesAndValues[i + 1]);
        }

        return builder.ToLabels();
    }
}
