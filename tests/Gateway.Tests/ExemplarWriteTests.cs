using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Metrics.Wire;
using Xunit;

namespace Metrics.Gateway.Tests;

/// <summary>Exemplars as Prometheus sends them: each as a series of its own, without samples.</summary>
public sealed class ExemplarWriteTests
{
    private static readonly long now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AnExemplarNeedsNoSampleBesideIt(bool isSecond)
    {
        await using var app = await RealGateway.StartAsync();

        // Before its series there is nothing that it could belong to; it makes none.
        Assert.Equal((204, "0"), await WriteAsync(app, isSecond, Exemplar("early", now)));
        Assert.Equal("[]", await AskAsync(app, "series?match[]=m"));
        Assert.Equal((204, "1"), await WriteAsync(app, isSecond, Sample(), Exemplar("t1", now)));

        // By its labels, then by the reference that those have brought.
        Assert.Equal((204, "1"), await WriteAsync(app, isSecond, Exemplar("t2", now + 1)));
        Assert.Equal((204, "2"), await WriteAsync(app, isSecond, Exemplar("t3", now + 2), Exemplar("t4", now + 3)));
        var found = await AskAsync(app, $"query_exemplars?query=m&start={(now / 1000) - 60}&end={(now / 1000) + 60}");
        Assert.Equal(["t1", "t2", "t3", "t4"], JsonDocument.Parse(found).RootElement[0].GetProperty("exemplars").EnumerateArray().Select(e => e.GetProperty("labels").GetProperty("trace_id").GetString()));
    }

    private static async Task<string> AskAsync(RealGateway app, string path) => JsonDocument.Parse((await app.GetAsync("/api/v1/" + path)).Body).RootElement.GetProperty("data").GetRawText();

    private static async Task<(int, string)> WriteAsync(RealGateway app, bool isSecond, params (bool IsSample, string Trace, long AtMs)[] series)
    {
        using var content = RealGateway.Body(isSecond ? Second(series) : First(series));
        if (isSecond)
        {
            content.Headers.Remove("Content-Type");
            content.Headers.TryAddWithoutValidation("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request");
        }

        using var answer = await app.Http.PostAsync(new Uri("/api/v1/write", UriKind.Relative), content);
        return ((int)answer.StatusCode, answer.Headers.GetValues("X-Prometheus-Remote-Write-Exemplars-Written").Single());
    }

    private static (bool, string, long) Sample() => (true, "", now);

    private static (bool, string, long) Exemplar(string trace, long atMs) => (false, trace, atMs);

    private static byte[] First((bool IsSample, string Trace, long AtMs)[] series)
    {
        using var writer = new WriteRequestWriter();
        foreach (var (isSample, trace, atMs) in series)
        {
            writer.BeginSeries();
            writer.AddLabels(Model.Labels.Of(("__name__", "m"), ("job", "j")));
            if (isSample)
            {
                writer.AddSample(atMs, 1);
            }
            else
            {
                writer.AddExemplar(Model.Labels.Of(("trace_id", trace)), atMs, 0.5);
            }

            writer.EndSeries();
        }

        return writer.Written.ToArray();
    }

    private static byte[] Second((bool IsSample, string Trace, long AtMs)[] series)
    {
        string[] symbols = ["", "__name__", "m", "job", "j", "trace_id", .. series.Select(static s => s.Trace)];
        return
        [
            .. symbols.SelectMany(static s => WriteMessage.Field(4, Encoding.UTF8.GetBytes(s))),
            .. series.SelectMany(static (s, i) => WriteMessage.Field(5,
            [
                .. WriteMessage.Field(1, [1, 2, 3, 4]),
                .. s.IsSample
                    ? WriteMessage.Field(2, [.. Value(1), 0x10, .. WriteMessage.Number((ulong)s.AtMs)])
                    : WriteMessage.Field(4, [.. WriteMessage.Field(1, [5, (byte)(6 + i)]), .. Value(2), 0x18, .. WriteMessage.Number((ulong)s.AtMs)]),
            ])),
        ];

        static byte[] Value(int field)
        {
            var bytes = new byte[9];
            bytes[0] = (byte)((field << 3) | 1);
            BinaryPrimitives.WriteDoubleLittleEndian(bytes.AsSpan(1), 0.5);
            return bytes;
        }
    }
}
