using Metrics.Model;

namespace Metrics.Cluster.Tests.Archive;

public class LabelAnswersTests
{
    private static readonly ShardId Shard = new(TenantId.Parse("t"), HashRange.Everything);

    [Fact]
    public void TheLeastRecentlyUsedGoFirstAndWhatIsTooLargeIsNotKept()
    {
        var answers = new LabelAnswers(4000);
        for (var i = 0; i < 100; i++)
        {
            answers.Put(Question($"q{i}"), [.. Enumerable.Repeat("value", 10)]);
            Assert.InRange(answers.Bytes, 1, 4000);
            Assert.NotNull(answers.Find(Question("q0")));
        }

        Assert.NotNull(answers.Find(Question("q99")));
        Assert.Null(answers.Find(Question("q1")));
        answers.Put(Question("large"), [.. Enumerable.Repeat("value", 100)]);
        Assert.Null(answers.Find(Question("large")));
    }

    [Fact]
    public void AnotherTenantsBlockOfTheSameNameHasAnswersOfItsOwn()
    {
        var answers = new LabelAnswers(4000);
        answers.Put(Question("q"), ["secret"]);
        Assert.Null(answers.Find(Question("q") with { Shard = new ShardId(TenantId.Parse("u"), HashRange.Everything) }));
        Assert.Null(answers.Find(Question("q") with { Within = HashRange.Everything.Split().Low }));
        Assert.Equal(["secret"], answers.Find(Question("q")));
    }

    private static LabelAnswers.Question Question(string text) => new(Shard, default, HashRange.Everything, text);
}
