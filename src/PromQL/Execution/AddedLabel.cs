using System.Text;
using Metrics.Model;

namespace Metrics.PromQL;

/// <summary>A label that all series of a leaf bear besides their own, so that the series of several tenants can be told apart in one query.</summary>
/// <remarks>
/// As in Mimir's federation (pkg/querier/tenantfederation): a label of that name that a series has itself is found under <c>original_</c> and the name. Queries see the label
/// as any other, in matchers too; below the selection nobody knows of it.
/// </remarks>
/// <param name="name">The name, e.g. <see cref="Tenant"/>.</param>
/// <param name="value">The value, not empty.</param>
public sealed class AddedLabel(string name, string value)
{
    /// <summary>The name under which Mimir tells tenants apart.</summary>
    public const string Tenant = "__tenant_id__";

    private readonly byte[] nameBytes = Encoding.UTF8.GetBytes(name);
    private readonly byte[] valueBytes = Encoding.UTF8.GetBytes(value);
    private readonly byte[] originalBytes = Encoding.UTF8.GetBytes("original_" + name);

    /// <summary>The name.</summary>
    public string Name => name;

    /// <summary>The name in UTF-8.</summary>
    public ReadOnlySpan<byte> NameBytes => nameBytes;

    /// <summary>The value.</summary>
    public string Value => value;

    /// <summary>What a selection with these matchers asks of the series themselves, or null when the label excludes all of them.</summary>
    public IReadOnlyList<Matcher>? Below(IReadOnlyList<Matcher> matchers)
    {
        var own = new List<Matcher>(matchers.Count);
        foreach (var matcher in matchers)
        {
            if (matcher.Name == name)
            {
                if (!matcher.Matches(valueBytes))
                {
                    return null;
                }
            }
            else
            {
                own.Add(matcher.NameBytes.AsSpan().SequenceEqual(originalBytes) ? new Matcher(matcher.Type, name, matcher.Value) : matcher);
            }
        }

        return own;
    }

    /// <summary>The labels of a series with the added one; <paramref name="builder"/> is for work.</summary>
    public Labels AddTo(Labels labels, LabelsBuilder builder)
    {
        builder.Reset(labels);
        var replaced = builder.Get(nameBytes);
        if (!replaced.IsEmpty)
        {
            builder.Set(originalBytes, replaced.ToArray());
        }

        return builder.Set(nameBytes, valueBytes).ToLabels();
    }
}

/// <summary>A leaf whose series all bear one more label.</summary>
/// <param name="inner">The leaf with the series.</param>
/// <param name="label">The label.</param>
public sealed class LabelledLeaf(IQueryLeaf inner, AddedLabel label) : IQueryLeaf
{
    /// <inheritdoc/>
    public ValueTask<FragmentResult> RunAsync(Fragment fragment, CancellationToken cancellation) => inner.RunAsync(fragment with { Added = label }, cancellation);
}
