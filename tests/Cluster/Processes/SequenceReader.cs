using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Xunit;

namespace Metrics.Cluster.Silos.Processes;

/// <summary>
/// Asks whichever silo serves, again and again, for all that a writer has had acknowledged by then. Each answer has exactly that; or it is 503, or none comes, as while a silo dies; or, where the question allows it, it
/// lacks something and says so.
/// </summary>
internal sealed class SequenceReader(SiloLab lab, SequenceWriter writer)
{
    /// <summary>Answers with everything.</summary>
    public int Whole { get; private set; }

    /// <summary>Answers that lacked something and said so.</summary>
    public int Partial { get; private set; }

    /// <summary>Questions that got no answer, or 503.</summary>
    public int Refused { get; private set; }

    /// <summary>The longest time without a whole answer.</summary>
    public TimeSpan LongestPause { get; private set; }

    /// <summary>Asks until told to stop.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        var last = Stopwatch.StartNew();
        for (var n = 0; !stop.IsCancellationRequested; n++)
        {
            var acknowledged = writer.Acknowledged;
            var isWhole = acknowledged > 0 && await AskAsync(n, acknowledged);
            LongestPause = last.Elapsed > LongestPause && Whole > 1 ? last.Elapsed : LongestPause;
            if (isWhole)
            {
                last.Restart();
            }

            await Task.Delay(50, CancellationToken.None);
        }
    }

    /// <summary>True for a whole answer.</summary>
    private async Task<bool> AskAsync(int n, int acknowledged)
    {
        var isPartialAllowed = n % 3 == 2;
        var (expression, want) = n % 2 == 0
            ? ($"sum(count_over_time({writer.Selector}[12h]))", [(double)acknowledged * SequenceWriter.SeriesCount])
            : ($"sum_over_time({writer.Selector}[12h])", Enumerable.Repeat(acknowledged * (acknowledged - 1.0) / 2, SequenceWriter.SeriesCount).ToArray());
        var path = $"api/v1/query?query={Uri.EscapeDataString(expression)}&time={writer.TimeOf(acknowledged - 1) / 1000.0:F3}&timeout=8s{(isPartialAllowed ? "&partial_response=true" : "")}";
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        try
        {
            using var answer = await lab.Http.GetAsync(new Uri(lab.Serving(n).Address, path), patience.Token);
            var text = await answer.Content.ReadAsStringAsync(patience.Token);
            if (answer.StatusCode == HttpStatusCode.ServiceUnavailable)
            {
                Refused++;
                return false;
            }

            Assert.True(answer.IsSuccessStatusCode, $"{(int)answer.StatusCode} {text}");
            using var document = JsonDocument.Parse(text);
            if (document.RootElement.TryGetProperty("warnings", out _))
            {
                Assert.True(isPartialAllowed, text);
                Partial++;
                return false;
            }

            var found = document.RootElement.GetProperty("data").GetProperty("result").EnumerateArray().Select(static s => double.Parse(s.GetProperty("value")[1].GetString()!));
            Assert.Equal(want, found);
            Whole++;
            return true;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            Refused++; // The silo died, or is frozen, under this question.
            return false;
        }
    }
}
