using Metrics.Model;

namespace Metrics.Cluster.Tests.Placement;

public sealed class RuleSharesTests
{
    private const int Groups = 3000;

    private static readonly TenantId tenant = TenantId.Parse("team-a");
    private static readonly string[] five = ["n1", "n2", "n3", "n4", "n5"];

    [Fact]
    public void EveryGroupHasOneOwnerWhoeverAsksAndInWhateverOrderTheEvaluatorsAreKnown()
    {
        foreach (var group in Names())
        {
            var owners = five.Where(self => new RuleShares(self, [.. five.Reverse()]).IsMine(tenant, group)).ToList();
            Assert.Equal([new RuleShares("", five).OwnerOf(tenant, group)], owners);
        }
    }

    [Fact]
    public void SharesAreEven()
    {
        var shares = Names().CountBy(g => new RuleShares("", five).OwnerOf(tenant, g), StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        Assert.Equal(five, shares.Keys.Order(StringComparer.Ordinal));
        Assert.All(shares.Values, static n => Assert.InRange(n, Groups / 5 * 0.85, Groups / 5 * 1.15));
    }

    [Fact]
    public void AnEvaluatorThatComesTakesItsShareAndMovesNothingElse()
    {
        var (without, with) = (new RuleShares("", five[..4]), new RuleShares("", five));
        var moved = Names().Where(g => with.OwnerOf(tenant, g) != without.OwnerOf(tenant, g)).ToList();
        Assert.All(moved, g => Assert.Equal("n5", with.OwnerOf(tenant, g)));
        Assert.InRange(moved.Count, Groups / 5 * 0.85, Groups / 5 * 1.15);
    }

    [Fact]
    public void GroupsOfOneNameAreSpreadOverTenants() =>
        Assert.Equal(five, Enumerable.Range(0, 200).Select(t => new RuleShares("", five).OwnerOf(TenantId.Parse($"t{t}"), "default")).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));

    [Fact]
    public void AProcessThatEvaluatesNothingHasNoShareAndWithoutEvaluatorsNobodyHas()
    {
        Assert.False(new RuleShares("", five).IsMine(tenant, "g"));
        Assert.False(new RuleShares("n9", five).IsMine(tenant, "g"));
        Assert.Equal("", new RuleShares("n1", []).OwnerOf(tenant, "g"));
        Assert.False(new RuleShares("", []).IsMine(tenant, "g"));
    }

    [Fact]
    public void SharesAreTheSameWhenTheSameEvaluatorsShareThem()
    {
        Assert.Equal(new RuleShares("n1", ["n1", "n2"]), new RuleShares("n1", ["n2", "n1"]));
        Assert.NotEqual(new RuleShares("n1", ["n1", "n2"]), new RuleShares("n2", ["n1", "n2"]));
        Assert.NotEqual(new RuleShares("n1", ["n1", "n2"]), new RuleShares("n1", ["n1", "n3"]));
    }

    private static IEnumerable<string> Names() => Enumerable.Range(0, Groups).Select(static g => $"group-{g}");
}
