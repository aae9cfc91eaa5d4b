using System.Buffers;
using System.Text;
using Metrics.Gateway.RemoteWrite;
using Metrics.Wire;

namespace Metrics.Gateway.Influx;

/// <summary>Walks a request in line protocol into the shards' batches: a series for each field that is a number or a truth value. For one request; not thread-safe.</summary>
/// <remarks>Names: grafana/mimir pkg/distributor/influxpush. A line that is wrong is counted, and the rest is taken, as InfluxDB has it ("partial write").</remarks>
internal sealed class InfluxWrite(InfluxOptions options, InfluxPrecision precision, string database, long nowMs)
{
    private readonly LabelGathering labels = new();
    private readonly ArrayBufferWriter<byte> raw = new(1024);
    private readonly ArrayBufferWriter<byte> name = new(256);
    private readonly ArrayBufferWriter<byte> key = new(64);
    private readonly ArrayBufferWriter<byte> value = new(256);
    private readonly byte[] separator = Encoding.UTF8.GetBytes(options.MeasurementFieldSeparator);
    private readonly byte[] databaseLabel = Encoding.UTF8.GetBytes(options.DatabaseLabel);
    private readonly byte[] databaseName = Encoding.UTF8.GetBytes(database);

    /// <summary>Lines that were wrong.</summary>
    public int BadLines { get; private set; }

    /// <summary>What was wrong with the first of them, with its number and beginning; empty when none was.</summary>
    public string FirstError { get; private set; } = "";

    /// <summary>Reads a message; see <see cref="WriteReader"/>.</summary>
    public int Read(ReadOnlySpan<byte> message, WriteSink sink, RequestLoad load)
    {
        var series = 0;
        (BadLines, FirstError) = (0, "");
        var reader = new InfluxLineReader(message);
        while (!sink.IsShut && reader.Read())
        {
            var timeMs = nowMs;
            var error = reader.Error ?? (reader.Time is { } time && !precision.TryToMs(time, out timeMs) ? "timestamp out of range" : null);
            if (error is not null)
            {
                FirstError = BadLines++ == 0 ? $"line {reader.Line}: {error}" : FirstError;
                continue;
            }

            Gather(reader.Tags);
            load.AddLabels(labels.TextBytes);
            var fields = reader.Fields;
            while (fields.MoveNext())
            {
                if (fields.IsText)
                {
                    continue;
                }

                NameOf(reader.Measurement, fields.Key);
                labels.WriteTo(raw, name.WrittenSpan, default, default);
                load.AddSamples(1);
                load.AddLabels(raw.WrittenCount);
                sink.BeginSeries(raw.WrittenSpan);
                sink.Add(timeMs, fields.Value);
                series++;
            }
        }

        return series;
    }

    private void Gather(InfluxTagEnumerator tags)
    {
        labels.Clear();
        if (databaseLabel.Length > 0)
        {
            labels.Add(LabelRank.Promoted, databaseLabel, databaseName);
        }

        while (tags.MoveNext())
        {
            key.ResetWrittenCount();
            AppendStart(key, tags.Key);
            value.ResetWrittenCount();
            value.Advance(InfluxText.Unescape(tags.Value, value.GetSpan(tags.Value.Length)));

            // Of two tags of one name the last counts.
            labels.Add(LabelRank.Own, key.WrittenSpan, value.WrittenSpan);
        }

        labels.Settle();
    }

    private void NameOf(ReadOnlySpan<byte> measurement, ReadOnlySpan<byte> field)
    {
        name.ResetWrittenCount();
        AppendStart(name, measurement);
        if (!options.OmitValueField || !field.SequenceEqual("value"u8))
        {
            name.Write(separator);
            AppendName(name, field);
        }
    }

    /// <summary>Appends the start of a name; a digit there gets an underscore in front.</summary>
    private void AppendStart(ArrayBufferWriter<byte> to, ReadOnlySpan<byte> escaped)
    {
        if (options.EscapeNames && char.IsAsciiDigit((char)escaped[0]))
        {
            to.Write("_"u8);
        }

        AppendName(to, escaped);
    }

    private void AppendName(ArrayBufferWriter<byte> to, ReadOnlySpan<byte> escaped)
    {
        var span = to.GetSpan(escaped.Length);
        var length = InfluxText.Unescape(escaped, span);
        to.Advance(options.EscapeNames ? Underscore(span[..length]) : length);
    }

    /// <summary>Makes an underscore of each character that is no letter, digit or underscore, in place; gives the length left.</summary>
    private static int Underscore(Span<byte> text)
    {
        var length = 0;
        for (var at = 0; at < text.Length;)
        {
            var isLegal = char.IsAsciiLetterOrDigit((char)text[at]);
            var consumed = text[at] < 0x80 || Rune.DecodeFromUtf8(text[at..], out _, out var bytes) != OperationStatus.Done ? 1 : bytes;
            text[length++] = isLegal ? text[at] : (byte)'_';
            at += consumed;
        }

        return length;
    }
}
