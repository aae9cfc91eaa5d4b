namespace Metrics.Wire;

/// <summary>Walks an OTLP <c>ExportMetricsServiceRequest</c> in place, without an object per metric or data point.</summary>
/// <remarks>
/// <code>
/// ExportMetricsServiceRequest { repeated ResourceMetrics resource_metrics = 1; }
/// ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; }
/// ScopeMetrics    { InstrumentationScope scope = 1; repeated Metric metrics = 2; string schema_url = 3; }
/// </code>
/// Format: open-telemetry/opentelemetry-proto, collector/metrics/v1 and metrics/v1. Everything handed out borrows the body. Unknown fields are skipped, and of a field that may
/// come once the last occurrence counts. How many of anything there may be is the caller's to limit. All members of all views throw <see cref="WireFormatException"/> when the
/// body is malformed; data points handed out before stay valid.
/// </remarks>
public ref struct OtlpRequestReader(ReadOnlySpan<byte> body)
{
    private SubmessageEnumerator resources = new(body, 0, 1);

    /// <summary>The resource at the cursor.</summary>
    public readonly OtlpResourceView Current => new(resources.Current, resources.CurrentOffset);

    /// <summary>Steps to the next resource; false at the end.</summary>
    public bool MoveNext() => resources.MoveNext();

    /// <summary>Makes the reader usable in <c>foreach</c>.</summary>
    public readonly OtlpRequestReader GetEnumerator() => this;
}

/// <summary>The metrics of one resource.</summary>
public readonly ref struct OtlpResourceView
{
    private readonly ReadOnlySpan<byte> message;
    private readonly ReadOnlySpan<byte> resource;
    private readonly int origin;
    private readonly int resourceOrigin;

    internal OtlpResourceView(ReadOnlySpan<byte> message, int origin)
    {
        this.message = message;
        this.origin = origin;
        var found = new SubmessageEnumerator(message, origin, 1);
        while (found.MoveNext())
        {
            resource = found.Current;
            resourceOrigin = found.CurrentOffset;
        }
    }

    /// <summary>The attributes of the resource, in the order sent.</summary>
    public OtlpAttributeEnumerator Attributes => new(resource, resourceOrigin, 1);

    /// <summary>The scopes, in the order sent.</summary>
    public OtlpScopeEnumerator Scopes => new(message, origin);
}

/// <summary>Walks the scopes of a resource.</summary>
public ref struct OtlpScopeEnumerator
{
    private SubmessageEnumerator scopes;

    internal OtlpScopeEnumerator(ReadOnlySpan<byte> message, int origin) => scopes = new SubmessageEnumerator(message, origin, 2);

    /// <summary>The scope at the cursor.</summary>
    public readonly OtlpScopeView Current => new(scopes.Current, scopes.CurrentOffset);

    /// <summary>Steps to the next scope; false at the end.</summary>
    public bool MoveNext() => scopes.MoveNext();

    /// <summary>Makes the enumerator usable in <c>foreach</c>.</summary>
    public readonly OtlpScopeEnumerator GetEnumerator() => this;
}

/// <summary>The metrics of one instrumentation scope: <c>InstrumentationScope { string name = 1; string version = 2; repeated KeyValue attributes = 3; }</c>.</summary>
public readonly ref struct OtlpScopeView
{
    private readonly ReadOnlySpan<byte> message;
    private readonly ReadOnlySpan<byte> scope;
    private readonly int origin;
    private readonly int scopeOrigin;

    internal OtlpScopeView(ReadOnlySpan<byte> message, int origin)
    {
        this.message = message;
        this.origin = origin;
        var fields = new ProtobufReader(message, origin);
        while (fields.TryReadTag(out var field, out var type))
        {
            if (field is not (1 or 3))
            {
                fields.Skip(type);
                continue;
            }

            fields.Expect(WireType.Bytes, type, field);
            var content = fields.ReadBytes();
            if (field == 1)
            {
                scope = content;
                scopeOrigin = fields.Offset - content.Length;
            }
            else
            {
                SchemaUrl = content;
            }
        }

        var inner = new ProtobufReader(scope, scopeOrigin);
        while (inner.TryReadTag(out var field, out var type))
        {
            if (field is not (1 or 2))
            {
                inner.Skip(type);
                continue;
            }

            inner.Expect(WireType.Bytes, type, field);
            var text = inner.ReadBytes();
            if (field == 1)
            {
                Name = text;
            }
            else
            {
                Version = text;
            }
        }
    }

    /// <summary>The name of the scope; empty when it has none.</summary>
    public ReadOnlySpan<byte> Name { get; }

    /// <summary>The version of the scope.</summary>
    public ReadOnlySpan<byte> Version { get; }

    /// <summary>The schema that the scope's metrics follow.</summary>
    public ReadOnlySpan<byte> SchemaUrl { get; }

    /// <summary>The attributes of the scope, in the order sent.</summary>
    public OtlpAttributeEnumerator Attributes => new(scope, scopeOrigin, 3);

    /// <summary>The metrics, in the order sent.</summary>
    public OtlpMetricEnumerator Metrics => new(message, origin);
}
