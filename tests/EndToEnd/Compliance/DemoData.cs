namespace Metrics.EndToEnd.Compliance;

/// <summary>
/// Two hours of the series that PromQL's compliance queries ask about, in the shape of the PromLabs demo service, and of series made for corners.
/// Deterministic by seed; sample times never fall on a whole second, so closed and left-open windows hold the same samples.
/// </summary>
internal sealed class DemoData(int seed, long startMs)
{
    public const int StepMs = 15_000;
    public const int Steps = 480;
    private readonly Random random = new(seed);

    /// <summary>The instant of a step, Unix milliseconds.</summary>
    public long TimeOf(int step) => startMs + ((long)step * StepMs) + 371;

    /// <summary>One sample per series and step at which it has one, step by step.</summary>
    public IEnumerable<(long TimeMs, List<((string, string)[] Labels, double Value)> Samples)> Scrapes()
    {
        var instances = Enumerable.Range(0, 3).Select(i => new Instance($"demo.promlabs.com:{10000 + i}", new Random(random.Next()))).ToArray();
        for (var step = 0; step < Steps; step++)
        {
            var time = TimeOf(step);
            var samples = new List<((string, string)[], double)>();
            foreach (var instance in instances)
            {
                instance.Scrape(step, time / 1000.0, samples);
            }

            Corners(step, samples);
            yield return (time, samples);
        }
    }

    private static void Corners(int step, List<((string, string)[] Labels, double Value)> into)
    {
        into.Add(([("__name__", "corner_resetting_total"), ("case", "every 40 steps")], step % 40 * 7.5));
        into.Add(([("__name__", "corner_gauge"), ("case", "nan")], step % 5 == 0 ? double.NaN : step));
        into.Add(([("__name__", "corner_gauge"), ("case", "inf")], (step % 7) switch { 0 => double.PositiveInfinity, 3 => double.NegativeInfinity, _ => -step }));
        if (step % 60 < 45)
        {
            into.Add(([("__name__", "corner_gap"), ("case", "shorter than the lookback")], step));
        }

        if (step % 120 < 60)
        {
            into.Add(([("__name__", "corner_gap"), ("case", "longer than the lookback")], step));
        }

        if (step % 60 <= 20)
        {
            into.Add(([("__name__", "corner_gap"), ("case", "with a stale marker")], step % 60 == 20 ? BitConverter.UInt64BitsToDouble(Model.StaleMarker.Bits) : step));
        }

        for (var exponent = -12; exponent <= 15; exponent += 3)
        {
            into.Add(([("__name__", "corner_constant"), ("exponent", $"{exponent}")], Math.Pow(10, exponent)));
        }

        foreach (var value in new[] { "with blank", "\"quoted\"", "back\\slash", "new\nline", "grün 日本", "a.b*c|d(e)[f]+?^$" })
        {
            into.Add(([("__name__", "corner_label"), ("value", value)], value.Length));
        }

        into.Add(([("__name__", "build_info"), ("version", step < Steps / 2 ? "1.0" : "1.1"), ("instance", "demo.promlabs.com:10000"), ("job", "demo")], 1));
    }

    /// <summary>One instance of the demo service.</summary>
    private sealed class Instance(string name, Random random)
    {
        private static readonly double[] Bounds = [.. Enumerable.Range(0, 25).Select(i => 0.0001 * Math.Pow(1.5, i))];
        private readonly Dictionary<string, double> counters = new(StringComparer.Ordinal);
        private readonly Dictionary<string, double[]> histograms = new(StringComparer.Ordinal);
        private double used = 1.2 * (1L << 30), cached = 2.4 * (1L << 30), buffers = 165.0 * (1 << 20), disk = 16e9, lastRun, lastSuccess, runSeconds = 10, runBytes = 1.05e6;
        private bool holiday;

        public void Scrape(int step, double now, List<((string, string)[] Labels, double Value)> into)
        {
            void Add(string metric, double value, params (string, string)[] labels) =>
                into.Add(([("__name__", metric), ("instance", name), ("job", "demo"), .. labels], value));

            Add("up", 1);
            Add("demo_num_cpus", 4);
            foreach (var (mode, perSecond) in new[] { ("user", 1.2), ("system", 0.8), ("idle", 2.0) })
            {
                Add("demo_cpu_usage_seconds_total", Count(mode, perSecond * 15 * (0.7 + (0.6 * random.NextDouble()))), ("mode", mode));
            }

            used = Math.Floor(used * (0.99 + (0.02 * random.NextDouble())));
            cached = Math.Floor(cached * (0.99 + (0.02 * random.NextDouble())));
            buffers = Math.Floor(buffers * (0.99 + (0.02 * random.NextDouble())));
            Add("demo_memory_usage_bytes", used, ("type", "used"));
            Add("demo_memory_usage_bytes", cached, ("type", "cached"));
            Add("demo_memory_usage_bytes", buffers, ("type", "buffers"));
            Add("demo_memory_usage_bytes", (8.0 * (1L << 30)) - used - cached - buffers, ("type", "free"));
            disk = disk > 0.9 * 160e9 ? 16e9 : disk + (7.5e6 * (0.5 + random.NextDouble()));
            Add("demo_disk_usage_bytes", disk);
            Add("demo_disk_total_bytes", 160e9);
            Batch(step, now);
            Add("demo_batch_last_run_timestamp_seconds", lastRun);
            Add("demo_batch_last_success_timestamp_seconds", lastSuccess);
            Add("demo_batch_last_run_duration_seconds", runSeconds);
            Add("demo_batch_last_run_processed_bytes", runBytes);
            Add("demo_api_http_requests_in_progress", random.Next(0, 9));
            if (step % 20 == 0)
            {
                holiday = random.Next(4) == 0;
            }

            Add("demo_is_holiday", holiday ? 1 : 0);
            Add("demo_items_shipped_total", Count("items", Math.Floor(random.NextDouble() * (holiday ? 20 : 150))));
            if ((long)now / 60 % 2 == 0)
            {
                Add("demo_intermittent_metric", 1);
            }
            else if ((long)(now - 15) / 60 % 2 == 0)
            {
                Add("demo_intermittent_metric", BitConverter.UInt64BitsToDouble(Model.StaleMarker.Bits));
            }

            Requests(step, Add);
        }

        private double Count(string counter, double by) => counters[counter] = counters.GetValueOrDefault(counter) + by;

        private void Batch(int step, double now)
        {
            if (step % 4 != 0)
            {
                return;
            }

            lastRun = now - random.NextDouble();
            lastSuccess = random.Next(4) == 0 && lastSuccess > 0 ? lastSuccess : lastRun;
            runSeconds = 5 + (10 * random.NextDouble());
            runBytes = Math.Floor(1e6 + (1e5 * random.NextDouble()));
        }

        private void Requests(int step, Action<string, double, (string, string)[]> add)
        {
            var outage = step % 100 > 90;
            var swing = 1 + (0.5 * Math.Sin(step / 240.0 * 2 * Math.PI));
            foreach (var (path, method, rate) in new[] { ("/api/foo", "GET", 20.0), ("/api/foo", "POST", 4.0), ("/api/bar", "GET", 12.0), ("/api/bar", "POST", 6.0), ("/api/nonexistent", "GET", 0.3) })
            {
                foreach (var (status, share) in path == "/api/nonexistent" ? [("404", 1.0)] : new[] { ("200", outage ? 0.9 : 0.99), ("500", outage ? 0.1 : 0.01) })
                {
                    var state = State($"{path} {method} {status}");
                    for (var n = (int)(rate * share * swing * 15 * random.NextDouble() * 2 / 10); n > 0; n--)
                    {
                        var seconds = 0.01 * Math.Exp(1.6 * random.NextDouble()) * (outage ? 3 : 1);
                        state[^2] += seconds;
                        state[^1]++;
                        for (var b = 0; b < Bounds.Length; b++)
                        {
                            state[b] += seconds <= Bounds[b] ? 1 : 0;
                        }
                    }

                    (string, string)[] labels = [("method", method), ("path", path), ("status", status)];
                    for (var b = 0; b < Bounds.Length; b++)
                    {
                        add("demo_api_request_duration_seconds_bucket", state[b], [.. labels, ("le", $"{Bounds[b]:R}")]);
                    }

                    add("demo_api_request_duration_seconds_bucket", state[^1], [.. labels, ("le", "+Inf")]);
                    add("demo_api_request_duration_seconds_sum", state[^2], labels);
                    add("demo_api_request_duration_seconds_count", state[^1], labels);
                }
            }
        }

        private double[] State(string key)
        {
            if (!histograms.TryGetValue(key, out var state))
            {
                histograms[key] = state = new double[Bounds.Length + 2];
            }

            return state;
        }
    }
}
