namespace Metrics.Model;

/// <summary>What had to be reconciled for two histograms to be combined.</summary>
[Flags]
public enum HistogramReconciliation
{
    /// <summary>Nothing worth a remark.</summary>
    None = 0,

    /// <summary>One histogram said that a reset happened, the other that none did.</summary>
    CounterResetCollision = 1,

    /// <summary>Custom bounds differed; the result has those both share.</summary>
    CustomBounds = 2,
}
