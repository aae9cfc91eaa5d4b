namespace Metrics.SideBySide;

/// <summary>What the command line asks for.</summary>
internal sealed record Settings
{
    public const string Usage = """
        dotnet run -c Release --project bench/SideBySide -- [--preset a|b|quick | --quick] [option value]...
          --preset a        100,000 series x 480 scrapes (2 hours); the default
          --preset b        1,000,000 series x 40 scrapes (10 minutes)
          --preset quick    20,000 series x 40 scrapes, 1 run, 3 runs a query, 2 s of warm-up; also --quick
          --series N        series at a time
          --scrapes N       scrapes, 15 s apart, the last one about now
          --seed N          another seed gives other series and values (1)
          --parts LIST      of ingest,queries,restart,disk,mixed: done in the order given, all of them by default; ingest is always done first
          --servers LIST    of metrics,prometheus,victoria-metrics (all)
          --runs N          runs of everything; medians are shown (3)
          --query-runs N    measured runs of each query, after a cold one and the warm-up (5)
          --warm-up N       seconds for which a suite is asked in turn before it is measured (20)
          --connections N   connections that write (4)
          --clients N       clients that query while samples come in (16)
          --keep DIR        data stays there; what an earlier run with the same settings left is not sent again, and the other parts go on with it. For one run.
        """;

    /// <summary>The parts, in the order in which they are done by default: queries see what the writes left, then come crash and compaction.</summary>
    public static readonly string[] KnownParts = ["ingest", "queries", "restart", "disk", "mixed"];

    public int Series { get; init; } = 100_000;

    public int Scrapes { get; init; } = 480;

    public int Seed { get; init; } = 1;

    public IReadOnlyList<string> Parts { get; init; } = KnownParts;

    public IReadOnlyList<string> Servers { get; init; } = Server.Known;

    public int Runs { get; init; } = 3;

    public int QueryRuns { get; init; } = 5;

    public int WarmUpSeconds { get; init; } = 20;

    public int Connections { get; init; } = 4;

    public int Clients { get; init; } = 16;

    /// <summary>Where the servers' directories stay after the run, or null when they are removed.</summary>
    public string? Keep { get; init; }

    /// <summary>Reads the command line, later options over earlier ones.</summary>
    /// <exception cref="ArgumentException">An option is unknown, or its value is none.</exception>
    public static Settings Parse(IReadOnlyList<string> arguments)
    {
        var settings = new Settings();
        for (var i = 0; i < arguments.Count; i++)
        {
            var option = arguments[i];
            if (option == "--quick")
            {
                settings = settings.Preset("quick");
                continue;
            }

            if (++i == arguments.Count)
            {
                throw new ArgumentException($"{option} has no value");
            }

            var value = arguments[i];
            settings = option switch
            {
                "--preset" => settings.Preset(value),
                "--series" => settings with { Series = Number(option, value) },
                "--scrapes" => settings with { Scrapes = Number(option, value) },
                "--seed" => settings with { Seed = Number(option, value) },
                "--parts" => settings with { Parts = List(option, value, KnownParts) },
                "--servers" => settings with { Servers = List(option, value, Server.Known) },
                "--runs" => settings with { Runs = Number(option, value) },
                "--query-runs" => settings with { QueryRuns = Number(option, value) },
                "--warm-up" => settings with { WarmUpSeconds = Number(option, value) },
                "--connections" => settings with { Connections = Number(option, value) },
                "--clients" => settings with { Clients = Number(option, value) },
                "--keep" => settings with { Keep = value, Runs = 1 },
                _ => throw new ArgumentException($"unknown option {option}"),
            };
        }

        return settings;
    }

    private Settings Preset(string name) => name switch
    {
        "a" => this with { Series = 100_000, Scrapes = 480 },
        "b" => this with { Series = 1_000_000, Scrapes = 40 },
        "quick" => this with { Series = 20_000, Scrapes = 40, Runs = 1, QueryRuns = 3, WarmUpSeconds = 2 },
        _ => throw new ArgumentException($"unknown preset '{name}'"),
    };

    private static int Number(string option, string text) =>
        int.TryParse(text, out var number) && number > 0 ? number : throw new ArgumentException($"{option} takes a number above 0, not '{text}'");

    private static string[] List(string option, string text, IReadOnlyList<string> known)
    {
        var names = text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var unknown = names.FirstOrDefault(n => !known.Contains(n));
        return unknown is null && names.Length > 0 ? names : throw new ArgumentException($"{option} takes some of {string.Join(",", known)}, not '{unknown}'");
    }
}
