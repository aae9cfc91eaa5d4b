using System.Buffers;
using Metrics.Wire;

namespace Metrics.Gateway.Otlp;

/// <summary>What one resource gives its series: job, instance and promoted attributes. Reusable; not thread-safe.</summary>
internal sealed class OtlpResource(OtlpTranslation settings, OtlpLabelName names)
{
    private readonly ArrayBufferWriter<byte> job = new(256);
    private readonly ArrayBufferWriter<byte> instance = new(256);
    private readonly ArrayBufferWriter<byte> scratch = new(256);

    /// <summary>Promoted attributes, job and instance.</summary>
    public OtlpLabelSet Labels { get; } = new();

    /// <summary>The label <c>job</c>: service.namespace/service.name, or the latter alone; empty without it.</summary>
    public ReadOnlySpan<byte> Job => job.WrittenSpan;

    /// <summary>The label <c>instance</c>: service.instance.id; empty without it.</summary>
    public ReadOnlySpan<byte> Instance => instance.WrittenSpan;

    /// <summary>True when there is an attribute beside those that make job and instance.</summary>
    public bool HasMore { get; private set; }

    /// <summary>True for the attributes that make job and instance.</summary>
    public static bool IsIdentifying(ReadOnlySpan<byte> key) =>
        key.SequenceEqual("service.name"u8) || key.SequenceEqual("service.namespace"u8) || key.SequenceEqual("service.instance.id"u8);

    /// <summary>Takes a resource.</summary>
    public void Read(OtlpResourceView view)
    {
        Labels.Clear();
        HasMore = false;
        foreach (var attribute in view.Attributes)
        {
            HasMore |= !IsIdentifying(attribute.Key);
            if (settings.IsPromoted(attribute.Key))
            {
                scratch.ResetWrittenCount();
                Labels.Add(OtlpLabelRank.Promoted, names, attribute.Key, attribute.Value.ToText(scratch));
            }
        }

        Identify(view);
        Labels.Add(OtlpLabelRank.Own, "job"u8, Job);
        Labels.Add(OtlpLabelRank.Own, "instance"u8, Instance);
    }

    private void Identify(OtlpResourceView view)
    {
        job.ResetWrittenCount();
        instance.ResetWrittenCount();
        TryWrite(view, "service.instance.id"u8, instance);
        if (TryWrite(view, "service.namespace"u8, job))
        {
            job.Write("/"u8);
        }

        if (!TryWrite(view, "service.name"u8, job))
        {
            // A name space without a name names no job.
            job.ResetWrittenCount();
        }
    }

    /// <summary>Appends the text of an attribute; false when there is none of that key. Of several the first counts.</summary>
    private bool TryWrite(OtlpResourceView view, ReadOnlySpan<byte> key, ArrayBufferWriter<byte> to)
    {
        foreach (var attribute in view.Attributes)
        {
            if (attribute.Key.SequenceEqual(key))
            {
                scratch.ResetWrittenCount();
                to.Write(attribute.Value.ToText(scratch));
                return true;
            }
        }

        return false;
    }
}
