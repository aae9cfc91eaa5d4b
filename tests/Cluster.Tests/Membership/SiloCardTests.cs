namespace Metrics.Cluster.Tests.Membership;

public sealed class SiloCardTests
{
    [Theory]
    [InlineData("", "", "")]
    [InlineData("4f2a", "eu-1", "10.0.0.1:9090")]
    [InlineData("4f2a", "", "[::1]:9090")]
    public void ACardSurvivesBeingAName(string node, string zone, string http)
    {
        var card = new SiloCard(new NodeId(node), zone, http);

        Assert.True(SiloCard.TryParse(card.ToString(), out var read));
        Assert.Equal(card, read);
        Assert.Equal(node.Length > 0, read.HoldsShards);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("Silo_1a2b3")]
    [InlineData("node=a;zone=b")]
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
