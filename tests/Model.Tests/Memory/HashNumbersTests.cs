using Xunit;

namespace Metrics.Model.Tests;

public sealed class HashNumbersTests
{
    private const int Seed = 12;

    /// <summary>Against a dictionary: hashes that differ in few bits, in the upper ones alone, and that are one for many things.</summary>
    [Theory]
    [InlineData(0xFFFFUL, 1)]
    [InlineData(7UL, 1)]
    [InlineData(0UL, 40)]
    [InlineData(0xFF00000000000000UL, 32)]
    public void EachThingHasTheNumberThatItWasGivenFirst(ulong hashBits, int capacity)
    {
        var random = new Random(Seed);
        var things = new List<int>();
        var expected = new Dictionary<int, int>();
        using var numbers = new HashNumbers(capacity);
        for (var i = 0; i < 3000; i++)
        {
            var thing = random.Next(1000);
            if (!expected.TryGetValue(thing, out var number))
            {
                expected.Add(thing, number = expected.Count);
            }

            Assert.Equal(number, Add(thing));
            Assert.Equal(expected.Count, numbers.Count);
        }

        int Add(int thing)
        {
            var found = numbers.Find(((ulong)thing * 0x9E3779B97F4A7C15) & hashBits);
            while (found.Next(out var number))
            {
                if (things[number] == thing)
                {
                    return number;
                }
            }

            things.Add(thing);
            return numbers.Add(found);
        }
    }
}
