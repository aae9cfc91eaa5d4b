using Xunit;
using Xunit.Abstractions;

namespace Metrics.EndToEnd.Programs;

/// <summary>Begins with the tests that take longest, so that none of them is alone at the end; the others as they come.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    /// <summary>Ends of the names of collections; of a class without one it is the class's.</summary>
    private static readonly string[] longest = ["Silo processes", "RuleOwnerTests", "SiloS3Tests", "PrometheusAgreesTests", "RulesAgreeTests", "KillTests", "ComplianceTests", "Ceph"];

    /// <inheritdoc/>
    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) => testCollections.OrderBy(static c =>
    {
        var place = Array.FindIndex(longest, name => c.DisplayName.EndsWith(name, StringComparison.Ordinal));
        return place < 0 ? longest.Length : place;
    });
}
