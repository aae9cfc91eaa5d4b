using FsCheck;
using FsCheck.Fluent;
using Metrics.Model;
using Xunit;

namespace Metrics.Storage.Tests;

/// <summary>What heads and blocks say of labels without making them is what the labels say.</summary>
public sealed class SeriesLabelTests
{
    private static readonly string[] names = ["__name__", "a", "b", "instance", "zone"];

    [Fact]
    public void HashesBytesAndGroupsOfAHeadAreThoseOfItsLabels() => Property(random =>
    {
        using var head = HeadOf(random);
        using var set = head.OpenView()!.Select([], TimeRange.All);
        return Agrees(set, random);
    });

    [Fact]
    public void HashesBytesAndGroupsOfABlockAreThoseOfItsLabels() => Property(random =>
    {
        var root = Directory.CreateTempSubdirectory("series-labels").FullName;
        try
        {
            using var blocks = new BlockSet(root, Assert.Fail);
            var ulid = Ulid.New(TimeProvider.System, random);
            using (var head = HeadOf(random))
            using (var view = head.OpenView()!)
            using (var writer = blocks.Write(ulid, new BlockDescription { MaxTimeMs = 1000 }))
            {
                HeadCut.Write(view, new TimeRange(long.MinValue, 999), writer, CancellationToken.None);
                writer.Finish();
            }

            using var block = BlockReader.Open(Path.Combine(root, ulid.ToString()));
            using var set = block.Select([], TimeRange.All);
            return Agrees(set, random);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    });

    private static void Property(Func<Random, bool> holds) =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(60), Prop.ForAll(Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), (int seed) => holds(new Random(seed))));

    private static Head HeadOf(Random random)
    {
        var head = new Head(new HeadOptions());
        for (var i = random.Next(1, 200); i > 0; i--)
        {
            var builder = new LabelsBuilder();
            foreach (var name in names)
            {
                // Some without the label, some with values longer than what is set aside for them.
                if (random.Next(3) > 0)
                {
                    builder.Set(name, random.Next(50) == 0 ? new string('x', random.Next(1, 3000)) : $"{random.Next(4)}");
                }
            }

            var labels = builder.Set("i", $"{random.Next(100)}").ToLabels();
            head.Append(head.GetOrCreate(labels.Encoded, labels.Hash, out _), 1, i);
        }

        return head;
    }

    private static bool Agrees(ISeriesSet set, Random random)
    {
        var subset = new LabelSubset(names.Append("none").Where(_ => random.Next(2) == 0), without: random.Next(2) == 0);
        byte[] bytes = [];
        for (var i = 0; i < set.Count; i++)
        {
            var labels = set.LabelsOf(i);
            Assert.Equal(labels.Hash, set.HashOf(i));
            Assert.True(labels.Encoded.SequenceEqual(set.LabelBytesOf(i, ref bytes)));
        }

        var groupOf = new int[set.Count];
        var groups = set.Group(subset, groupOf);
        Assert.Equal(groups.Count, groups.Distinct().Count());
        for (var i = 0; i < set.Count; i++)
        {
            var want = new LabelsBuilder();
            foreach (var label in set.LabelsOf(i))
            {
                if (subset.Keeps(label.Name))
                {
                    want.Set(label.Name, label.Value);
                }
            }

            Assert.Equal(want.ToLabels(), groups[groupOf[i]]);
        }

        return true;
    }
}
