using Metrics.Model;
using Metrics.Storage;

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

    [Fact]
    public void OfABlockThatIsGoneNothingIsKept()
    {
        var answers = new LabelAnswers(4000);
        var (gone, stays) = (Ulid.New(TimeProvider.System, new Random(1)), Ulid.New(TimeProvider.System, new Random(2)));
        answers.Put(Question("q") with { Block = gone }, ["1"]);
        answers.Put(Question("r") with { Block = gone }, ["2"]);
        answers.Put(Question("q") with { Block = stays }, ["3"]);
        var others = Question("q") with { Block = gone, Shard = new ShardId(TenantId.Parse("u"), HashRange.Everything) };
        answers.Put(others, ["4"]);
        answers.Forget(Shard, new HashSet<Ulid> { gone });
        Assert.Null(answers.Find(Question("q") with { Block = gone }));
        Assert.Null(answers.Find(Question("r") with { Block = gone }));
        Assert.Equal(["3"], answers.Find(Question("q") with { Block = stays }));
        Assert.Equal(["4"], answers.Find(others));
        answers.Forget(Shard, new HashSet<Ulid> { stays });
        answers.Forget(others.Shard, new HashSet<Ulid> { gone });
        Assert.Equal(0, answers.Bytes);
    }

    private static LabelAnswers.Question Question(string text) => new(Shard, default, HashRange.Everything, text);
}
