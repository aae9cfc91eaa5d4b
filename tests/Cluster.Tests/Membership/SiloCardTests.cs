namespace Metrics.Cluster.Tests.Membership;

public sealed class SiloCardTests
{
    [Theory]
    [InlineData("", "", "", "")]
    [InlineData("4f2a", "eu-1", "10.0.0.1:9090", "")]
    [InlineData("4f2a", "", "[::1]:9090", "acme,eu-*")]
    public void ACardSurvivesBeingAName(string node, string zone, string http, string tenants)
    {
        var card = new SiloCard(new NodeId(node), zone, http) { Pool = TenantPool.Parse(tenants) };

        Assert.True(SiloCard.TryParse(card.ToString(), out var read));
        Assert.Equal(card, read);
        Assert.Equal(node.Length > 0, read.HoldsShards);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("Silo_1a2b3")]
    [InlineData("node=a;zone=b")]
    [InlineData("node=a;zone=b;http=c;other=d")]
    [InlineData("node=a;zone=b;http=c;tenants=d;e")]
    [InlineData("zone=a;node=b;http=c")]
    public void AnotherNameIsNoCard(string? name) => Assert.False(SiloCard.TryParse(name, out _));

    [Fact]
    public void AZoneIsShortAndWithoutSeparators()
    {
        Assert.Null(SiloCard.ZoneProblem("europe-west1-b"));
        Assert.NotNull(SiloCard.ZoneProblem("a;b"));
        Assert.NotNull(SiloCard.ZoneProblem("a\nb"));
        Assert.NotNull(SiloCard.ZoneProblem(new string('z', 65)));
    }
}
