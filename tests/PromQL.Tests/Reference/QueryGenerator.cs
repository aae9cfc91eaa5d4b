using Metrics.Model;

namespace Metrics.PromQL.Tests.Reference;

/// <summary>Random well-typed queries over the series of <see cref="DataGenerator"/>, from a seed.</summary>
/// <remarks>No function that makes much of little, such as <c>ceil</c>: the last bit of a sum depends on the order of addition.</remarks>
internal sealed class QueryGenerator(Random random)
{
    private static readonly string[] Names = ["requests_total", "temperature", "latency_bucket", "durations"];
    private static readonly string[] LabelNames = ["job", "instance", "zone"];

    /// <summary>A vector expression nested at most so deep.</summary>
    public string Vector(int depth)
    {
        if (depth == 0)
        {
            return Selector();
        }

        return random.Next(10) switch
        {
            0 or 1 => Selector(),
            2 or 3 => RangeCall(depth),
            4 or 5 => Aggregate(depth),
            6 => $"{Pick("abs", "sqrt", "timestamp", "exp", "ln", "rad")}({Vector(depth - 1)})",
            7 => $"({Vector(depth - 1)} {Operator()} {Number()})",
            8 => Join(depth),
            _ => random.Next(3) == 0 ? $"-({Vector(depth - 1)})" : $"histogram_quantile({Pick("0.5", "0.9", "-1", "1")}, sum by (le{Maybe(", job")}) (rate(latency_bucket[{Duration()}])))",
        };
    }

    private string Pick(params string[] choices) => choices[random.Next(choices.Length)];

    private string Maybe(string text) => random.Next(2) == 0 ? text : "";

    private string Duration() => Pick("30s", "1m", "90s", "2m", "5m", "10m");

    private string Number() => Pick("0", "1", "2.71", "-3.3", "1e6", "NaN", "Inf", "0.1");

    private string Operator() => Pick("+", "-", "*", "/", "%", "==", "!=", ">", "<", ">=", "<=", "> bool", "== bool");

    private string Matchers() => random.Next(4) switch
    {
        0 => $"{{{Pick(LabelNames)}=\"{Pick("a", "b", "c", "")}\"}}",
        1 => $"{{{Pick(LabelNames)}=~\"{Pick("a|b", ".+", "[bc]", "a.*", "")}\"}}",
        2 => $"{{{Pick(LabelNames)}!=\"{Pick("a", "b")}\", job!~\"{Pick("c", "z.*")}\"}}",
        _ => "",
    };

    private string Modifiers() => random.Next(6) switch
    {
        0 => $" offset {Pick("30s", "1m", "-1m", "5m")}",
        1 => $" @ {Pick("1000", "start()", "end()", "600.5")}",
        2 => $" @ {Pick("start()", "end()")} offset {Pick("30s", "-2m")}",
        _ => "",
    };

    private string Selector() => $"{Pick(Names)}{Matchers()}{Modifiers()}";

    private string RangeCall(int depth)
    {
        var function = Pick(
            "rate", "increase", "delta", "irate", "idelta", "resets", "changes", "deriv", "sum_over_time", "avg_over_time", "min_over_time", "max_over_time", "count_over_time",
            "last_over_time", "present_over_time", "stddev_over_time", "stdvar_over_time");
        var range = random.Next(4) == 0
            ? $"({Vector(depth - 1)})[{Duration()}:{Pick("", "15s", "30s", "1m", "7s")}]{Modifiers()}"
            : $"{Pick(Names)}{Matchers()}[{Duration()}]{Modifiers()}";
        return random.Next(6) switch
        {
            0 => $"quantile_over_time({Pick("0", "0.3", "0.9", "1")}, {range})",
            1 => $"predict_linear({range}, {Pick("60", "600")})",
            _ => $"{function}({range})",
        };
    }

    private string Aggregate(int depth)
    {
        var grouping = random.Next(4) switch
        {
            0 => "",
            1 => $" by ({Pick(LabelNames)})",
            2 => $" by ({Pick(LabelNames)}, {Pick(LabelNames)})",
            _ => $" without ({Pick(LabelNames)}, le)",
        };
        return random.Next(8) switch
        {
            0 => $"topk{grouping} ({Pick("1", "2", "3")}, {Vector(depth - 1)})",
            1 => $"bottomk{grouping} ({Pick("1", "2")}, {Vector(depth - 1)})",
            2 => $"quantile{grouping} ({Pick("0.1", "0.5", "1", "2")}, {Vector(depth - 1)})",
            3 => $"limitk{grouping} ({Pick("1", "2", "5")}, {Vector(depth - 1)})",
            _ => $"{Pick("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")}{grouping} ({Vector(depth - 1)})",
        };
    }

    private string Join(int depth)
    {
        var (l, r) = (Vector(depth - 1), Vector(depth - 1));
        return random.Next(5) switch
        {
            0 => $"({l}) {Pick("and", "or", "unless")}{Maybe(" on (job)")} ({r})",
            1 => $"sum by (job) ({l}) {Operator()} sum by (job) ({r})",
            2 => $"({l}) {Pick("+", "-", "*", "/", ">", "==")} on (job) group_left{Maybe(" ()")} max by (job) ({r})",
            3 => $"avg by (zone) ({l}) {Pick("+", "*", "<")} on (zone) group_right () ({r})",
            _ => $"({l}) {Operator()} ({r})",
        };
    }
}

/// <summary>Random series: counters with resets, gauges with NaN and infinities, classic buckets, native histograms; gaps and stale markers everywhere.</summary>
internal sealed class DataGenerator(Random random)
{
    private const int StepMs = 15_000;

    /// <summary>About 30 minutes of samples.</summary>
    public List<NaiveSeries> Series()
    {
        var all = new List<NaiveSeries>();
        foreach (var job in new[] { "a", "b", "c" })
        {
            foreach (var instance in new[] { "a", "b" })
            {
                var zone = random.Next(3) == 0 ? "" : random.Next(2) == 0 ? "a" : "b";
                (string, string)[] labels = [("job", job), ("instance", instance), ("zone", zone)];
                all.Add(Make("requests_total", labels, Counter()));
                all.Add(Make("temperature", labels, Gauge()));
                all.Add(Make("durations", labels, Histogram()));
                var buckets = new double[4];
                foreach (var (le, b) in new[] { ("0.1", 0), ("1", 1), ("5", 2), ("+Inf", 3) })
                {
                    all.Add(Make("latency_bucket", [.. labels, ("le", le)], Bucket(buckets, b)));
                }
            }
        }

        return all;
    }

    private NaiveSeries Make(string name, (string, string)[] labels, Func<int, (double, FloatHistogram?)> sample)
    {
        var samples = new List<NaiveSample>();
        var jitter = random.Next(StepMs);
        var gapUntil = 0;
        for (var step = 0; step < 120; step++)
        {
            var time = jitter + ((long)step * StepMs) + random.Next(3);
            var (value, histogram) = sample(step);
            if (step < gapUntil)
            {
                continue;
            }

            if (random.Next(40) == 0)
            {
                gapUntil = step + random.Next(30);
                if (random.Next(2) == 0)
                {
                    samples.Add(new(time, StaleMarker.Value));
                    continue;
                }
            }

            samples.Add(new(time, value, histogram));
        }

        return new(Labels.Of([("__name__", name), .. labels]), samples);
    }

    private Func<int, (double, FloatHistogram?)> Counter()
    {
        double value = random.Next(100);
        return _ => (value = random.Next(25) == 0 ? random.Next(3) : value + (random.Next(4) == 0 ? 0 : random.NextDouble() * 10), null);
    }

    private Func<int, (double, FloatHistogram?)> Gauge() => _ => (random.Next(60) switch
    {
        0 => double.NaN,
        1 => double.PositiveInfinity,
        2 => double.NegativeInfinity,
        < 10 => 0,
        < 30 => random.Next(-5, 5),
        _ => (random.NextDouble() * 200) - 100,
    }, null);

    private Func<int, (double, FloatHistogram?)> Bucket(double[] buckets, int b) => _ => (buckets[b] += random.Next(3) * (b + 1), null);

    private Func<int, (double, FloatHistogram?)> Histogram()
    {
        var counts = new double[4];
        return _ =>
        {
            if (random.Next(25) == 0)
            {
                Array.Clear(counts);
            }

            for (var i = 0; i < counts.Length; i++)
            {
                counts[i] += random.Next(4);
            }

            return (0, new FloatHistogram
            {
                Schema = 1,
                ZeroThreshold = 0.001,
                ZeroCount = counts[0],
                Count = counts.Sum(),
                Sum = counts.Sum() * 1.5,
                PositiveSpans = [new(0, 2), new(1, 1)],
                PositiveBuckets = [counts[1], counts[2], counts[3]],
            });
        };
    }
}
