using Metrics.Model;

namespace Metrics.PromQL.Execution;

/// <summary>What is known of a series before its values: labels, and whether they lose their name at the end (delayed name removal).</summary>
internal readonly record struct SeriesHeader(Labels Labels, bool DropName);
