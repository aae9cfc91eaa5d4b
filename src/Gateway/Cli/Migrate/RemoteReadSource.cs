using System.Net.Http.Headers;
using System.Text;
using Metrics.Gateway.Cli.Tsdb;
using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.Wire;

namespace Metrics.Gateway.Cli.Migrate;

/// <summary>Prometheus's remote read, which Mimir, Thanos' sidecar and others have too. Asks for samples, floats and native histograms.</summary>
internal sealed class RemoteReadSource(HttpClient http, string tenant) : ISampleSource
{
    /// <summary>Of one answer, before and after Snappy. A server's own limit is lower: Prometheus gives 50 million samples.</summary>
    private const int AnswerBytesMax = 2_000_000_000;

    /// <inheritdoc/>
    public async Task ReadAsync(string selector, TimeRange range, SeriesCollection into, CancellationToken cancellation)
    {
        using var content = new ByteArrayContent(Question(PromQLParser.ParseSelector(selector), range));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
        content.Headers.ContentEncoding.Add("snappy");
        using var request = new HttpRequestMessage(HttpMethod.Post, "api/v1/read") { Content = content };
        request.Headers.Add("X-Prometheus-Remote-Read-Version", "0.1.0");
        if (tenant.Length > 0)
        {
            request.Headers.Add("X-Scope-OrgID", tenant);
        }

        try
        {
            using var answer = await http.SendAsync(request, cancellation);
            var body = await answer.Content.ReadAsByteArrayAsync(cancellation);
            if (!answer.IsSuccessStatusCode)
            {
                throw new IOException($"{http.BaseAddress} answered {(int)answer.StatusCode}: {Encoding.UTF8.GetString(body).Trim()}");
            }

            using var message = SnappyDecoder.Decode(body, AnswerBytesMax);
            Read(message.Span, into);
        }
        catch (Exception e) when (e is HttpRequestException or FormatException)
        {
            throw new IOException($"{http.BaseAddress}api/v1/read: {e.Message}", e);
        }
    }

    private static byte[] Question(IReadOnlyList<Matcher> matchers, TimeRange range)
    {
        using var message = new ProtobufWriter();
        var query = message.Begin(1);
        message.Varint64(1, (ulong)range.MinMs);
        message.Varint64(2, (ulong)range.MaxMs);
        foreach (var matcher in matchers)
        {
            var part = message.Begin(3);
            message.Varint64(1, (ulong)matcher.Type);
            message.Bytes(2, Encoding.UTF8.GetBytes(matcher.Name));
            message.Bytes(3, Encoding.UTF8.GetBytes(matcher.Value));
            message.End(part);
        }

        message.End(query);
        var packed = new byte[SnappyEncoder.MaxEncodedLength(message.Written.Length)];
        return packed[..SnappyEncoder.Encode(message.Written, packed)];
    }

    /// <summary>Walks <c>ReadResponse { repeated QueryResult results = 1; }</c>. A result has its series where a write request has them, so the same reader serves.</summary>
    private static void Read(ReadOnlySpan<byte> message, SeriesCollection into)
    {
        using var samples = new SampleBuffer();
        var fields = new ProtobufReader(message);
        while (fields.TryReadTag(out var field, out var type))
        {
            if (field != 1)
            {
                fields.Skip(type);
                continue;
            }

            fields.Expect(WireType.Bytes, type, field);
            var result = new WriteRequestReader(fields.ReadBytes());
            for (var part = result.Read(); part != WriteRequestPart.End; part = result.Read())
            {
                if (part == WriteRequestPart.Series)
                {
                    Read(result.GetSeries(), samples, into);
                }
            }
        }
    }

    private static void Read(TimeSeriesView series, SampleBuffer samples, SeriesCollection into)
    {
        var builder = new LabelsBuilder();
        foreach (var label in series.Labels)
        {
            builder.Set(Encoding.UTF8.GetString(label.Name), Encoding.UTF8.GetString(label.Value));
        }

        var labels = builder.ToLabels();
        samples.Clear();
        foreach (var sample in series.Samples)
        {
            CheckAscends(samples, sample.TimestampMs);
            samples.Add(sample.TimestampMs, sample.Value);
        }

        Take(labels, samples, into);
        samples.Clear();
        foreach (var sample in series.Histograms)
        {
            CheckAscends(samples, sample.TimestampMs);
            if (sample.FindDefect() is { } defect)
            {
                throw new FormatException($"{labels} at {sample.TimestampMs}: {defect}");
            }

            samples.Add(sample.TimestampMs, sample.ToFloatHistogram());
        }

        Take(labels, samples, into);
    }

    private static void CheckAscends(SampleBuffer samples, long timeMs)
    {
        if (samples.Count > 0 && samples.Times[^1] >= timeMs)
        {
            throw new FormatException("times do not ascend");
        }
    }

    private static void Take(Labels labels, SampleBuffer samples, SeriesCollection into)
    {
        if (samples.Count > 0)
        {
            into.Merge(labels, samples);
        }
    }
}
