using Xunit;

namespace Metrics.Model.Tests.Memory;

public class RecentlyUsedTests
{
    [Theory]
    [InlineData(0, 0)]
    [InlineData(40, 0)]
    [InlineData(0, 5)]
    [InlineData(40, 7)]
    public void ItHoldsWhatAListInOrderOfUseHolds(long maxBytes, long maxItems)
    {
        var random = new Random(7);
        var cache = new RecentlyUsed<int, int>(maxBytes, maxItems);
        var list = new List<(int Key, int Value, long Bytes)>();
        var evicted = 0L;
        for (var i = 0; i < 5000; i++)
        {
            var key = random.Next(20);
            switch (random.Next(5))
            {
                case 0:
                    cache.Remove(key);
                    list.RemoveAll(x => x.Key == key);
                    break;
                case 1 when random.Next(4) == 0:
                    cache.RemoveAll(k => k % 7 == key % 7);
                    list.RemoveAll(x => x.Key % 7 == key % 7);
                    break;
                case 2:
                    var bytes = random.Next(1, 50);
                    cache.Set(key, i, bytes);
                    list.RemoveAll(x => x.Key == key);
                    if (maxBytes == 0 || bytes <= maxBytes)
                    {
                        list.Add((key, i, bytes));
                    }

                    for (; (maxBytes > 0 && list.Sum(x => x.Bytes) > maxBytes) || (maxItems > 0 && list.Count > maxItems); evicted++)
                    {
                        list.RemoveAt(0);
                    }

                    break;
                default:
                    var at = list.FindIndex(x => x.Key == key);
                    Assert.Equal(at >= 0, cache.TryGet(key, out var value));
                    if (at >= 0)
                    {
                        Assert.Equal(list[at].Value, value);
                        list.Add(list[at]);
                        list.RemoveAt(at);
                    }

                    break;
            }

            Assert.Equal((list.Count, list.Sum(x => x.Bytes), evicted), (cache.Count, cache.Bytes, cache.Evictions));
        }

        Assert.Equal(maxBytes + maxItems > 0, evicted > 0);
    }
}
