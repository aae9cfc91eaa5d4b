using Metrics.SideBySide;

// Sends the same remote write load to each server in turn, from fresh directories on loopback, asks the same queries, and prints medians and ratios.
Settings settings;
try
{
    settings = Settings.Parse(args);
}
catch (ArgumentException e)
{
    Console.Error.WriteLine(e.Message);
    Console.Error.WriteLine(Settings.Usage);
    return 2;
}

// The very last scrape is about now, and no server has to take samples of the future; every server of every run gets the same bytes.
using var folder = DataFolder.Open(settings.Keep);
var minute = folder.Minute(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() / 60_000 * 60_000);
var scrapes = settings.Scrapes + (settings.Parts.Contains("mixed") ? MixedPart.Scrapes(settings) : 0);
var data = new ChurningScrapes(settings.Series, minute - ((long)scrapes * ChurningScrapes.IntervalMs), settings.Seed);
var figures = new Figures();
var times = new QueryTimes();
using var answers = new AnswerFolder();
for (var run = 0; run < settings.Runs; run++)
{
    foreach (var name in settings.Servers)
    {
        var filled = folder.IsFilled(name);
        using (var server = await Server.StartAsync(name, folder.Of(name)))
        {
            if (!filled)
            {
                await IngestPart.RunAsync(server, data, settings, figures);
                folder.Filled(name);
            }

            foreach (var part in settings.Parts)
            {
                switch (part)
                {
                    case "queries":
                        await QueryPart.RunAsync(server, data, settings, times, answers);
                        break;
                    case "restart":
                        await RestartPart.RunAsync(server, data, settings, figures);
                        break;
                    case "disk":
                        await DiskPart.RunAsync(server, settings, figures);
                        break;
                    case "mixed":
                        await MixedPart.RunAsync(server, data, settings, figures);
                        break;
                }
            }
        }

        folder.Release(name);
    }
}

new MarkdownReport(settings, figures, times, answers).Write(Console.Out);
return 0;
