using System.Text.Encodings.Web;
using System.Text.Json;
using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Gateway.Rules;

/// <summary>A tenant's rules over all processes of a cluster, each of which evaluates a share of them.</summary>
/// <remarks>Processes show each other <c>{"groups":[...],"alertmanagers":["url"]}</c>, groups as the API writes them.</remarks>
internal sealed class RuleBoard(RulesHost rules)
{
    private static readonly JsonWriterOptions plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>What this process shows the others.</summary>
    public ReadOnlyMemory<byte> Local(TenantId tenant, RuleFilter filter)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, plain))
        {
            json.WriteStartObject();
            json.WriteStartArray("groups");
            foreach (var group in Selected(tenant, filter))
            {
                group.Write(json);
            }

            json.WriteEndArray();
            json.WriteStartArray("alertmanagers");
            foreach (var url in rules.AlertmanagersOf(tenant))
            {
                json.WriteStringValue(url.ToString());
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return stream.ToArray();
    }

    /// <summary>What all show together. One that does not answer is a warning.</summary>
    public async ValueTask<RuleView> GatherAsync(TenantId tenant, RuleFilter filter, CancellationToken cancellation)
    {
        var view = new RuleView([.. Selected(tenant, filter)], [.. rules.AlertmanagersOf(tenant).Select(static a => a.ToString())], []);
        if (rules.Others is { Count: > 0 } others)
        {
            var answers = await Task.WhenAll(others.Select(o => AskAsync(o, tenant, filter, cancellation)));
            view = new RuleView(
                Once(view.Groups.Concat(answers.SelectMany(static a => a.Groups))),
                [.. view.Alertmanagers.Concat(answers.SelectMany(static a => a.Alertmanagers)).Distinct(StringComparer.Ordinal)],
                [.. answers.SelectMany(static a => a.Warnings)]);
        }

        return view;
    }

    /// <summary>In the order of files and names. A group that is being handed over may be shown by two: the one that evaluated it last is believed.</summary>
    private static List<ShownGroup> Once(IEnumerable<ShownGroup> groups) =>
    [
        .. groups.GroupBy(static g => (g.File, g.Name)).Select(static same => same.MaxBy(static g => g.EvaluatedAt ?? DateTimeOffset.MinValue)!)
            .OrderBy(static g => g.File, StringComparer.Ordinal).ThenBy(static g => g.Name, StringComparer.Ordinal),
    ];

    private static async Task<RuleView> AskAsync(IRulePeer other, TenantId tenant, RuleFilter filter, CancellationToken cancellation)
    {
        try
        {
            using var document = JsonDocument.Parse(await other.ShowAsync(tenant, filter.Text, cancellation));
            var root = document.RootElement.Clone();
            return new RuleView(
                [.. root.GetProperty("groups").EnumerateArray().Select(ShownGroup.Of)], [.. root.GetProperty("alertmanagers").EnumerateArray().Select(static a => a.GetString() ?? "")], []);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return new RuleView([], [], [$"rules evaluated by {other.Name} are not shown: {e.Message}"]);
        }
    }

    private IEnumerable<ShownGroup> Selected(TenantId tenant, RuleFilter filter)
    {
        foreach (var group in rules.GroupsOf(tenant))
        {
            if (filter.Select(group) is { Count: > 0 } selected)
            {
                yield return ShownGroup.Of(group, selected, filter.WithAlerts);
            }
        }
    }
}

/// <summary>Rules as the API shows them.</summary>
/// <param name="Groups">The groups asked for, ascending by file and name.</param>
/// <param name="Alertmanagers">Where their alerts go.</param>
/// <param name="Warnings">What is missing.</param>
internal sealed record RuleView(List<ShownGroup> Groups, IReadOnlyList<string> Alertmanagers, IReadOnlyList<string> Warnings);
