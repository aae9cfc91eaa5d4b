using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Metrics.Storage.Tests;

public class PostingsSetsTests
{
    private static readonly Arbitrary<(uint[] Left, uint[] Right)> Lists = (
        from left in SortedList
        from right in SortedList
        select (left, right)).ToArbitrary();

    // Lengths differ by far, so that both the walk and the gallop are met; the range is small, so that lists share entries.
    private static Gen<uint[]> SortedList =>
        from length in Gen.Elements(0, 1, 3, 20, 700)
        from range in Gen.Elements(10u, 1000u, uint.MaxValue)
        from seed in Gen.Choose(0, int.MaxValue)
        let random = new Random(seed)
        select Enumerable.Range(0, length).Select(_ => (uint)random.NextInt64(range + 1L)).Distinct().Order().ToArray();

    [Fact]
    public void IntersectionHoldsWhatBothHold() => Prop.ForAll(Lists, lists =>
    {
        var set = lists.Left.ToArray();
        var kept = PostingsSets.Intersect(set, lists.Right);
        return set.Take(kept).SequenceEqual(lists.Left.ToHashSet().Intersect(lists.Right).Order());
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void DifferenceHoldsWhatOnlyTheFirstHolds() => Prop.ForAll(Lists, lists =>
    {
        var set = lists.Left.ToArray();
        var kept = PostingsSets.Subtract(set, lists.Right);
        return set.Take(kept).SequenceEqual(lists.Left.ToHashSet().Except(lists.Right).Order());
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void UnionHoldsWhatEitherHoldsOnce() => Prop.ForAll(Lists, lists =>
    {
        var into = new uint[lists.Left.Length + lists.Right.Length];
        var written = PostingsSets.Union(lists.Left, lists.Right, into);
        return into.Take(written).SequenceEqual(lists.Left.ToHashSet().Union(lists.Right).Order());
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void SeekFindsTheFirstEntryNotLess() => Prop.ForAll(Lists, lists =>
    {
        foreach (var wanted in lists.Right.Take(50))
        {
            var from = lists.Left.Length / 3;
            var want = Enumerable.Range(0, lists.Left.Length + 1).First(i => i >= from && (i == lists.Left.Length || lists.Left[i] >= wanted));
            if (PostingsSets.Seek(lists.Left, from, wanted) != want)
            {
                return false;
            }
        }

        return true;
    }).QuickCheckThrowOnFailure();
}
