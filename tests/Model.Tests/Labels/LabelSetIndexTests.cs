using Xunit;

namespace Metrics.Model.Tests;

/// <summary>Many label sets together: numbered, and made as objects whose bytes lie together.</summary>
public sealed class LabelSetIndexTests
{
    private const int Seed = 11;

    /// <summary>From none to some ten thousand, many of them again and again, short, long and empty.</summary>
    [Fact]
    public void EachSetHasTheNumberThatItWasGivenFirst()
    {
        var random = new Random(Seed);
        using var index = new LabelSetIndex();
        var expected = new Dictionary<Labels, int>();
        for (var i = 0; i < 30_000; i++)
        {
            var labels = Set(random.Next(20_000));
            if (!expected.TryGetValue(labels, out var number))
            {
                expected.Add(labels, number = expected.Count);
            }

            Assert.Equal(number, index.Add(labels.Encoded));
        }

        Assert.Equal(expected.Count, index.Count);
        Assert.Equal(expected.OrderBy(static e => e.Value).Select(static e => e.Key), index.ToLabels());
        Assert.All(expected, e => Assert.True(index[e.Value].SequenceEqual(e.Key.Encoded)));
    }

    /// <summary>Wherever its bytes lie, a set is what it is by itself, and stays that when others follow.</summary>
    [Fact]
    public void ASetOfAnArenaIsLikeAnyOther()
    {
        var arena = new LabelsArena();
        var expected = Enumerable.Range(0, 5000).Select(Set).ToList();
        var made = expected.ConvertAll(l => arena.Add(l.Encoded));
        for (var i = 0; i < made.Count; i++)
        {
            Assert.Equal(expected[i], made[i]);
            Assert.Equal(expected[i].Hash, made[i].Hash);
            Assert.Equal(expected[i].GetHashCode(), made[i].GetHashCode());
            Assert.Equal(expected[i].ToString(), made[i].ToString());
            Assert.Equal(expected[i]["i"], made[i]["i"]);
            Assert.Equal(expected[i].IsEmpty, made[i].IsEmpty);
            Assert.True(expected[i].EncodedMemory.Span.SequenceEqual(made[i].EncodedMemory.Span));
            Assert.Equal(Math.Sign(expected[i].CompareTo(expected[^(i + 1)])), Math.Sign(made[i].CompareTo(made[^(i + 1)])));
        }
    }

    private static Labels Set(int number) => number switch
    {
        0 => Labels.Empty,
        1 => Labels.Of(("i", new string('x', 2 * LabelsArena.BlockBytes))),
        _ => Labels.Of(("__name__", "m"), ("i", $"{number}"), ("job", new string('j', number % 300))),
    };
}
