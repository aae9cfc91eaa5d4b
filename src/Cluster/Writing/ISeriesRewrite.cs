using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Changes the labels of series before they are stored, or leaves series out: relabelling at write. Thread-safe.</summary>
/// <remarks>The outcome must depend on the labels alone, for it is remembered with them: a series that comes again is not rewritten again. Other rules need another <see cref="TenantWriter"/>.</remarks>
public interface ISeriesRewrite
{
    /// <summary>Changes labels in place; false when the series is to be left out.</summary>
    bool Rewrite(LabelsBuilder labels);
}
