using Metrics.Model;
using Metrics.PromQL.Execution;
using Xunit;

namespace Metrics.PromQL.Tests.Execution;

/// <summary>Sorting by labels what comes in any order, or as the answers of leaves do.</summary>
public sealed class LabelSortTests
{
    private const int Seed = 7;

    /// <summary>From none to thousands, in runs of any length, with equal ones among them: every item is still beside its own labels.</summary>
    [Fact]
    public void WhateverComesIsSortedAndStaysTogether()
    {
        var random = new Random(Seed);
        for (var round = 0; round < 300; round++)
        {
            var labels = new List<Labels>();
            for (var runs = random.Next(12); runs > 0; runs--)
            {
                labels.AddRange(Enumerable.Range(0, random.Next(3) == 0 ? random.Next(5) : random.Next(700)).Select(_ => Labels.Of(("i", $"{random.Next(2000)}"))).Order());
            }

            if (random.Next(3) == 0)
            {
                labels.Reverse();
            }

            Labels[] sorted = [.. labels];
            Labels[] items = [.. labels];
            LabelSort.Sort(sorted, items);

            Assert.Equal(labels.Order(), sorted);
            Assert.All(sorted.Zip(items), static pair => Assert.Same(pair.First, pair.Second));
        }
    }
}
