using Metrics.PromQL.Parsing;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Metrics.Rules.Files;

/// <summary>Writes groups as YAML that <see cref="RuleFileReader"/> and Prometheus read back as the same groups.</summary>
public static class RuleFileWriter
{
    /// <summary>A rule file.</summary>
    public static string Write(RuleFile file) => Write(emitter =>
    {
        emitter.Emit(new MappingStart());
        Key(emitter, "groups");
        Groups(emitter, file.Groups);
        emitter.Emit(new MappingEnd());
    });

    /// <summary>One group on its own, as the ruler API shows it.</summary>
    public static string Write(RuleGroupSpec group) => Write(emitter => Group(emitter, group));

    /// <summary>Namespaces with their groups, as the ruler API lists them.</summary>
    public static string Write(IEnumerable<KeyValuePair<string, RuleFile>> namespaces) => Write(emitter => Namespaces(emitter, namespaces));

    /// <summary>Tenants with their namespaces and groups, as the ruler API lists them for administrators.</summary>
    public static string Write(IEnumerable<KeyValuePair<string, IEnumerable<KeyValuePair<string, RuleFile>>>> tenants) => Write(emitter =>
    {
        emitter.Emit(new MappingStart());
        foreach (var (tenant, namespaces) in tenants)
        {
            Key(emitter, tenant);
            Namespaces(emitter, namespaces);
        }

        emitter.Emit(new MappingEnd());
    });

    private static string Write(Action<IEmitter> write)
    {
        var text = new StringWriter();
        var emitter = new Emitter(text, new EmitterSettings().WithBestWidth(int.MaxValue));
        emitter.Emit(new StreamStart());
        emitter.Emit(new DocumentStart(null, null, isImplicit: true));
        write(emitter);
        emitter.Emit(new DocumentEnd(isImplicit: true));
        emitter.Emit(new StreamEnd());
        return text.ToString();
    }

    private static void Namespaces(IEmitter emitter, IEnumerable<KeyValuePair<string, RuleFile>> namespaces)
    {
        emitter.Emit(new MappingStart());
        foreach (var (name, file) in namespaces)
        {
            Key(emitter, name);
            Groups(emitter, file.Groups);
        }

        emitter.Emit(new MappingEnd());
    }

    private static void Groups(IEmitter emitter, IReadOnlyList<RuleGroupSpec> groups)
    {
        emitter.Emit(new SequenceStart(null, null, isImplicit: true, SequenceStyle.Block));
        foreach (var group in groups)
        {
            Group(emitter, group);
        }

        emitter.Emit(new SequenceEnd());
    }

    private static void Group(IEmitter emitter, RuleGroupSpec group)
    {
        emitter.Emit(new MappingStart());
        Pair(emitter, "name", group.Name);
        Duration(emitter, "interval", group.IntervalMs);
        if (group.QueryOffsetMs is { } offset)
        {
            Pair(emitter, "query_offset", PromDuration.Format(offset));
        }

        if (group.Limit != 0)
        {
            Pair(emitter, "limit", group.Limit.ToString());
        }

        if (group.PartialResponseStrategy is { } strategy)
        {
            Pair(emitter, "partial_response_strategy", strategy);
        }

        if (group.SourceTenants.Count > 0)
        {
            Key(emitter, "source_tenants");
            emitter.Emit(new SequenceStart(null, null, isImplicit: true, SequenceStyle.Flow));
            foreach (var tenant in group.SourceTenants)
            {
                Text(emitter, tenant);
            }

            emitter.Emit(new SequenceEnd());
        }

        Map(emitter, "labels", group.Labels);
        Key(emitter, "rules");
        emitter.Emit(new SequenceStart(null, null, isImplicit: true, SequenceStyle.Block));
        foreach (var rule in group.Rules)
        {
            Rule(emitter, rule);
        }

        emitter.Emit(new SequenceEnd());
        emitter.Emit(new MappingEnd());
    }

    private static void Rule(IEmitter emitter, RuleSpec rule)
    {
        emitter.Emit(new MappingStart());
        Pair(emitter, rule.IsAlert ? "alert" : "record", rule.Name);
        Pair(emitter, "expr", rule.Expr);
        Duration(emitter, "for", rule.ForMs);
        Duration(emitter, "keep_firing_for", rule.KeepFiringForMs);
        Map(emitter, "labels", rule.Labels);
        Map(emitter, "annotations", rule.Annotations);
        emitter.Emit(new MappingEnd());
    }

    private static void Duration(IEmitter emitter, string key, long ms)
    {
        if (ms != 0)
        {
            Pair(emitter, key, PromDuration.Format(ms));
        }
    }

    private static void Map(IEmitter emitter, string key, IReadOnlyDictionary<string, string> map)
    {
        if (map.Count == 0)
        {
            return;
        }

        Key(emitter, key);
        emitter.Emit(new MappingStart());
        foreach (var (name, value) in map)
        {
            Pair(emitter, name, value);
        }

        emitter.Emit(new MappingEnd());
    }

    private static void Key(IEmitter emitter, string key) => Text(emitter, key);

    private static void Pair(IEmitter emitter, string key, string value)
    {
        Text(emitter, key);
        Text(emitter, value);
    }

    private static void Text(IEmitter emitter, string value)
    {
        // Plain text that YAML reads as nothing, or that the emitter would fold, is quoted.
        var style = value is "" or "~" or "null" or "Null" or "NULL" || value.AsSpan().ContainsAny('\n', '\r', '\u0085') || value.AsSpan().ContainsAny('\u2028', '\u2029', '\t')
            ? ScalarStyle.DoubleQuoted
            : ScalarStyle.Any;
        emitter.Emit(new Scalar(null, null, value, style, isPlainImplicit: true, isQuotedImplicit: true));
    }
}
