using Metrics.Model;
using Metrics.Rules.Notifying;
using Metrics.Rules.Tests.Fakes;
using Metrics.Testing;
using Xunit;

namespace Metrics.Rules.Tests.Notifying;

/// <summary>Alertmanagers that are found by DNS, from a name server of the test's own.</summary>
public sealed class DnsTests : IAsyncDisposable
{
    private readonly DnsServer server = new();

    public DnsTests()
    {
        server.SetServices("_http._tcp.am.example", ("am1.example", 9093), ("am2.example", 9094));
        server.SetAddresses("am1.example", "127.0.0.11", "::1");
        server.SetAddresses("am2.example", "127.0.0.12", "127.0.0.13");
    }

    public ValueTask DisposeAsync() => server.DisposeAsync();

    [Theory]
    [InlineData("dnssrvnoa+http://_http._tcp.am.example", "am1.example:9093 am2.example:9094")]
    [InlineData("dnssrv+http://_http._tcp.am.example", "127.0.0.11:9093 [::1]:9093 127.0.0.12:9094 127.0.0.13:9094")]
    [InlineData("dns+https://am2.example:9999/prefix", "127.0.0.12:9999 127.0.0.13:9999")]
    [InlineData("dns+http://am1.example", "127.0.0.11:9093 [::1]:9093")]
    [InlineData("dns+http://nobody.example", "")]
    [InlineData("dnssrv+http://_nothing._tcp.am.example", "")]
    public async Task UrlsStandForWhatTheirNamesStandFor(string url, string want)
    {
        var set = AlertmanagerUrl.Parse(url);
        Assert.Empty(set.Targets);
        Assert.Equal(want, await ResolveAsync(Assert.Single(set.DnsNames)));
    }

    [Theory]
    [InlineData(DnsRecordType.Srv, "_http._tcp.am.example", "am1.example:9093 am2.example:9094")]
    [InlineData(DnsRecordType.A, "am2.example", "127.0.0.12:80 127.0.0.13:80")]
    [InlineData(DnsRecordType.Aaaa, "am1.example", "[::1]:80")]
    public async Task RecordsAreReadOverUdpAndTcp(DnsRecordType type, string name, string want)
    {
        var ask = new DnsName(name, type, 80, TimeSpan.FromSeconds(30));
        Assert.Equal((want, 0), (await ResolveAsync(ask), server.TcpQuestions));
        server.Truncates = true;
        Assert.Equal((want, 1), (await ResolveAsync(ask), server.TcpQuestions));
    }

    [Fact]
    public async Task AServerThatFailsIsNoAnswerAndTheNextIsAsked()
    {
        var ask = new DnsName("am2.example", DnsRecordType.A, 80, TimeSpan.FromSeconds(30));
        await using var next = new DnsServer();
        next.SetAddresses("am2.example", "127.0.0.99");
        server.Code = 2;
        await Assert.ThrowsAsync<IOException>(() => ResolveAsync(ask));
        Assert.Equal(["127.0.0.99:80"], await new SystemDnsLookup([server.Address, next.Address]).ResolveAsync(ask, CancellationToken.None));
    }

    [Theory]
    [InlineData("am:9093")]
    [InlineData("ftp://am")]
    [InlineData("dnsx+http://am")]
    [InlineData("dns+am:9093")]
    public void OtherUrlsAreRefused(string url) => Assert.StartsWith(url, Assert.Throws<FormatException>(() => AlertmanagerUrl.Parse(url)).Message, StringComparison.Ordinal);

    /// <summary>The notifier follows the name server: new hosts get alerts, those that are gone get none, and one that cannot be asked changes nothing.</summary>
    [Fact]
    public async Task AlertsGoWhereTheNameServerSays()
    {
        var time = new FakeTime(1_700_000_000_000);
        var events = new KeptEvents();
        var options = AlertingConfigReader.Read(
            "alertmanagers:\n- static_configs: [{targets: ['dnssrvnoa+_http._tcp.am.example']}]\n- path_prefix: /x\n  dns_sd_configs: [{names: [am2.example], type: A, port: 80}]", Labels.Empty);
        await using var notifier = new AlertmanagerNotifier(options, time, new SystemDnsLookup([server.Address]), events);
        async Task Expect(params string[] urls)
        {
            await NotifierTests.Until(() => notifier.Alertmanagers.Select(a => a.Url.ToString()).Order(StringComparer.Ordinal).SequenceEqual(urls));
            await time.UntilTimersAsync(2);
        }

        await Expect("http://127.0.0.12/x/api/v2/alerts", "http://127.0.0.13/x/api/v2/alerts", "http://am1.example:9093/api/v2/alerts", "http://am2.example:9094/api/v2/alerts");
        server.SetServices("_http._tcp.am.example", ("am3.example", 1));
        server.SetAddresses("am2.example", "127.0.0.13");
        time.Advance(TimeSpan.FromSeconds(30));
        await Expect("http://127.0.0.13/x/api/v2/alerts", "http://am3.example:1/api/v2/alerts");
        server.Code = 2;
        time.Advance(TimeSpan.FromSeconds(30));
        await NotifierTests.Until(() => events.Count == 2);
        await Expect("http://127.0.0.13/x/api/v2/alerts", "http://am3.example:1/api/v2/alerts");
    }

    [Fact]
    public void MessagesOfStrangersAreReadOrRefused()
    {
        // Header, the question, and two answers; names point back into the question.
        var question = DnsMessage.Question(7, "_am._tcp.example.org", DnsRecordType.Srv);
        byte[] answer =
        [
            0, 7, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0, .. question[12..],
            0xC0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, 11, 0, 1, 0, 2, 0x23, 0x85, 2, (byte)'a', (byte)'1', 0xC0, 21,
            0xC0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, 8, 0, 1, 0, 2, 0x23, 0x86, 0xC0, 21,
        ];
        Assert.Equal([("a1.example.org", 9093), ("example.org", 9094)], DnsMessage.Read(answer, 7, DnsRecordType.Srv, 0));
        Assert.Equal([], DnsMessage.Read([0, 7, 0x81, 0x83, 0, 0, 0, 0, 0, 0, 0, 0], 7, DnsRecordType.Srv, 0));
        for (var length = 0; length < answer.Length; length++)
        {
            Assert.Throws<InvalidDataException>(() => DnsMessage.Read(answer.AsSpan(0, length), 7, DnsRecordType.Srv, 0));
        }

        for (var i = 0; i < answer.Length * 8; i++)
        {
            var flipped = answer.ToArray();
            flipped[i / 8] ^= (byte)(1 << (i % 8));
            _ = Record.Exception(() => DnsMessage.Read(flipped, 7, DnsRecordType.Srv, 0)) is null or InvalidDataException ? 0 : throw new InvalidOperationException($"bit {i}");
        }

        var loop = answer.ToArray();
        (loop[^2], loop[^1]) = (0xC0, (byte)(loop.Length - 2));
        Assert.Throws<InvalidDataException>(() => DnsMessage.Read(loop, 7, DnsRecordType.Srv, 0));
        Assert.Throws<InvalidDataException>(() => DnsMessage.Question(1, "a..b", DnsRecordType.Srv));
    }

    private async Task<string> ResolveAsync(DnsName name) => string.Join(' ', await new SystemDnsLookup([server.Address]).ResolveAsync(name, CancellationToken.None));
}
