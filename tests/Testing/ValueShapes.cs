using Metrics.Model;

namespace Metrics.Testing;

/// <summary>Values as series of one kind have them, scrape after scrape. The same seed gives the same values.</summary>
public static class ValueShapes
{
    /// <summary>The kinds, and how many of a hundred series of a Kubernetes cluster are of each, about.</summary>
    public static IReadOnlyList<(string Name, int Share)> All { get; } =
    [
        ("constant", 50), ("unit steps", 3), ("idle counter", 8), ("request counter", 10), ("bucket counter", 6), ("byte counter", 5), ("cpu seconds", 4), ("memory bytes", 4),
        ("queue length", 3), ("two decimals", 2), ("rare change", 2), ("flapping", 1), ("ratio", 1), ("real doubles", 1),
    ];

    /// <summary>So many values of a kind.</summary>
    public static double[] Make(string name, int count, int seed)
    {
        var random = new Random(unchecked((seed * 7919) + name.Length));
        var level = Math.Pow(10, random.NextDouble() * 4);
        var values = new double[count];
        var state = Math.Floor(level * 1000);
        for (var i = 0; i < count; i++)
        {
            state = name switch
            {
                "constant" => Math.Round(level, random.Next(1, 2)) is var c && i == 0 ? c : state,
                "unit steps" => state + 15,
                "idle counter" => state + (random.Next(30) == 0 ? random.Next(1, 4) : 0),
                "request counter" => state + Poisson(random, 5 + level),
                "bucket counter" => state + Poisson(random, 0.5 + (level / 100)),
                "byte counter" => state + Math.Floor(level * 1500 * (0.5 + random.NextDouble())),
                "cpu seconds" => Math.Round(state + (random.NextDouble() * 3), 9),
                "memory bytes" => Math.Max(0, (Math.Floor(i == 0 ? level * 1000 : state / 4096) + random.Next(-64, 65)) * 4096),
                "queue length" => random.Next(4) == 0 ? random.Next(0, 20) : 0,
                "two decimals" => Math.Round((level * 100) + (level * 10 * Math.Sin(i / 7.0)) + random.NextDouble(), 2),
                "rare change" => i == 0 || random.Next(80) == 0 ? random.NextDouble() * level : state,
                "flapping" => random.Next(2) == 0 ? 1 / 3.0 : 2 / 7.0,
                "ratio" => Math.Clamp((i == 0 ? 0.5 : state) + ((random.NextDouble() - 0.5) / 100), 0, 1),
                "real doubles" => level * Math.Exp(random.NextDouble()),
                _ => throw new ArgumentException($"no kind is called {name}", nameof(name)),
            };
            values[i] = state;
        }

        return values;
    }

    /// <summary>Values of a kind that a number chooses by the shares.</summary>
    public static double[] Typical(int series, int count)
    {
        var place = new Random(series).Next(All.Sum(k => k.Share));
        foreach (var (name, share) in All)
        {
            if ((place -= share) < 0)
            {
                return Make(name, count, series);
            }
        }

        throw new InvalidOperationException("the shares were counted");
    }

    /// <summary>Values of any kind at all, with stale markers, infinities and every bit pattern between them.</summary>
    public static double[] Hostile(int count, int seed)
    {
        var random = new Random(seed);
        var values = random.Next(4) == 0 ? [.. Enumerable.Range(0, count).Select(_ => Any(random))] : Make(All[random.Next(All.Count)].Name, count, seed);
        if (random.Next(3) == 0)
        {
            var every = random.Next(1, 50);
            for (var i = 0; i < count; i++)
            {
                values[i] = random.Next(every) == 0 ? Any(random) : values[i];
            }
        }

        if (random.Next(3) == 0)
        {
            values[^1] = StaleMarker.Value;
        }

        return values;
    }

    private static double Any(Random random) => random.Next(8) switch
    {
        0 => StaleMarker.Value,
        1 => -0.0,
        2 => random.Next(2) == 0 ? double.PositiveInfinity : double.NegativeInfinity,
        3 => BitConverter.Int64BitsToDouble(0x7ff8_0000_0000_0000 | random.NextInt64(1L << 50)),
        4 => BitConverter.Int64BitsToDouble(random.NextInt64(1L << 52)),
        5 => random.NextInt64(long.MinValue, long.MaxValue),
        6 => Math.Round(random.NextDouble() * 1000, random.Next(12)),
        _ => BitConverter.Int64BitsToDouble(random.NextInt64(long.MinValue, long.MaxValue)),
    };

    private static double Poisson(Random random, double mean)
    {
        // By a normal of the same variance where there are many.
        if (mean > 30)
        {
            var normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            return Math.Max(0, Math.Round(mean + (Math.Sqrt(mean) * normal)));
        }

        var limit = Math.Exp(-mean);
        var count = 0;
        for (var product = random.NextDouble(); product > limit; product *= random.NextDouble())
        {
            count++;
        }

        return count;
    }
}
