using Metrics.Gateway.QueryApi;
using Metrics.Model;

namespace Metrics.Gateway.FrontEnd;

/// <summary>How a request wants replicas and missing shards treated: Thanos's <c>dedup</c>, <c>replicaLabels[]</c> and <c>partial_response</c>.</summary>
/// <param name="LabelText">The labels that tell replicas apart, separated by commas; empty to leave all series as they are.</param>
/// <param name="IsPartial">True when an answer without the shards that are away will do.</param>
internal readonly record struct ReplicaChoice(string LabelText, bool IsPartial)
{
    /// <summary>The labels that tell replicas apart.</summary>
    public IReadOnlyList<string> Labels => LabelText.Split(',', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Reads a request; what it doesn't say is the setting's.</summary>
    /// <exception cref="ApiException">A parameter is no boolean.</exception>
    public static ReplicaChoice Of(RequestParameters parameters, IReadOnlyList<string> configured)
    {
        IReadOnlyList<string> asked = [.. parameters.All("replicaLabels[]"), .. parameters.All("replicaLabels"), .. parameters.All("replica_labels[]")];
        var labels = asked.SelectMany(static a => a.Split(',')).Select(static a => a.Trim()).Where(static a => a.Length > 0).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        return new ReplicaChoice(
            Flag(parameters, "dedup", otherwise: true) ? string.Join(',', asked.Count > 0 ? labels : [.. configured.Order(StringComparer.Ordinal)]) : "",
            Flag(parameters, "partial_response", otherwise: false));
    }

    /// <summary>A boolean as Go's strconv.ParseBool reads it.</summary>
    private static bool Flag(RequestParameters parameters, string name, bool otherwise) => parameters[name] switch
    {
        "" => otherwise,
        "1" or "t" or "T" or "TRUE" or "true" or "True" => true,
        "0" or "f" or "F" or "FALSE" or "false" or "False" => false,
        var text => throw new ApiException(ApiErrorType.BadData, $"'{name}' parameter: strconv.ParseBool: parsing {LabelsText.Quote(text)}: invalid syntax"),
    };
}
