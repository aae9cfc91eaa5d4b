using System.Text.Json;
using Metrics.Gateway.Rules;
using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.Rules;
using Metrics.Rules.Files;
using Metrics.Rules.Groups;
using Metrics.Rules.Notifying;
using Metrics.Testing;
using Xunit;

namespace Metrics.Gateway.Tests.Rules;

/// <summary>What the API shows of a group that is evaluated at that moment.</summary>
public sealed class ShownGroupTests
{
    /// <summary>Who sees that a group was evaluated sees what its rules made of it, never what they were before.</summary>
    [Fact]
    public async Task AGroupNeverShowsALaterEvaluationThanItsRules()
    {
        var time = new FakeTime(RuleServer.Start);
        var spec = RuleFileReader.Read("groups: [{name: g, rules: [{record: first, expr: m}, {record: second, expr: m}]}]", new ParseOptions()).File!.Groups[0];
        var group = new RuleGroup("ns", spec, new RuleServices(new Empty(), new Empty(), new Empty(), time, new RuleOptions()));
        await group.EvaluateAsync(RuleServer.Start, default);

        using var written = new MemoryStream();
        using (var json = new Utf8JsonWriter(written))
        {
            ShownGroup.Of(group, new EvaluatedBetween(group, time), withAlerts: true).Write(json);
        }

        var shown = JsonDocument.Parse(written.ToArray()).RootElement;
        Assert.Equal([RuleServer.Start, RuleServer.Start + 1000], shown.GetProperty("rules").EnumerateArray().Select(EvaluatedAt));
        Assert.Equal(RuleServer.Start, EvaluatedAt(shown));
    }

    private static long EvaluatedAt(JsonElement shown) => shown.GetProperty("lastEvaluation").GetDateTimeOffset().ToUnixTimeMilliseconds();

    /// <summary>The rules of a group, which is evaluated when the first has been looked at.</summary>
    private sealed class EvaluatedBetween(RuleGroup group, FakeTime time) : IReadOnlyList<Rule>
    {
        public int Count => group.Rules.Count;

        public Rule this[int index] => group.Rules[index];

        public IEnumerator<Rule> GetEnumerator()
        {
            yield return group.Rules[0];
            time.AdvanceTo(RuleServer.Start + 1000);
            group.EvaluateAsync(RuleServer.Start + 1000, default).GetAwaiter().GetResult();
            yield return group.Rules[1];
        }

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }

    /// <summary>Data that are not there, and nobody to tell.</summary>
    private sealed class Empty : IRuleQuery, IRuleAppender, INotifier
    {
        public ValueTask<RuleVector> EvaluateAsync(string query, long timeMs, CancellationToken cancellation) => ValueTask.FromResult(new RuleVector([]));

        public ValueTask<IReadOnlyList<LastSample>> LastSamplesAsync(IReadOnlyList<Matcher> matchers, TimeRange range, CancellationToken cancellation) => ValueTask.FromResult<IReadOnlyList<LastSample>>([]);

        public ValueTask<RuleAppendResult> AppendAsync(IReadOnlyList<RuleWrite> samples, CancellationToken cancellation) => ValueTask.FromResult(RuleAppendResult.Done);

        public void Send(IReadOnlyList<AlertNotification> alerts)
        {
        }
    }
}
