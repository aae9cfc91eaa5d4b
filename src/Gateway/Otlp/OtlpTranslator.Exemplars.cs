using System.Text;
using System.Text.Unicode;
using Metrics.Wire;

namespace Metrics.Gateway.Otlp;

/// <summary>Exemplars: a trace, a span, and what the attributes leave out as long as it fits OpenMetrics's bound.</summary>
internal sealed partial class OtlpTranslator
{
    private const int MaxExemplarCharacters = 128;

    private void AddExemplar(OtlpExemplar exemplar, long pointMs)
    {
        exemplarLabels.Clear();
        var characters = AddId("trace_id", exemplar.TraceId) + AddId("span_id", exemplar.SpanId);
        var all = characters;
        foreach (var attribute in exemplar.FilteredAttributes)
        {
            all += CharactersOf(attribute);
        }

        if (all <= MaxExemplarCharacters)
        {
            foreach (var attribute in exemplar.FilteredAttributes)
            {
                scratch.ResetWrittenCount();
                exemplarLabels.Set(attribute.Key, attribute.Value.ToText(scratch));
            }

            characters = all;
        }

        load.AddExemplar(exemplar.TimeUnixNano == 0 ? pointMs : (long)exemplar.TimeUnixNano / NanosPerMs, exemplar.Value, exemplarLabels, characters, sink);
    }

    private int AddId(string name, ReadOnlySpan<byte> id)
    {
        // All zeroes is how some say that there is none. Ids have 16 and 8 bytes; far longer ones are no ids.
        if (id.IndexOfAnyExcept((byte)0) < 0 || id.Length > 64)
        {
            return 0;
        }

        exemplarLabels.Set(name, Convert.ToHexStringLower(id));
        return name.Length + (2 * id.Length);
    }

    private int CharactersOf(OtlpAttribute attribute)
    {
        scratch.ResetWrittenCount();
        var value = attribute.Value.ToText(scratch);
        if (attribute.Key.Length + value.Length > 4 * MaxExemplarCharacters || !Utf8.IsValid(attribute.Key) || !Utf8.IsValid(value) || attribute.Key.IsEmpty)
        {
            return short.MaxValue;
        }

        return RunesOf(attribute.Key) + RunesOf(value);
    }

    private static int RunesOf(ReadOnlySpan<byte> text)
    {
        var runes = 0;
        while (!text.IsEmpty)
        {
            Rune.DecodeFromUtf8(text, out _, out var consumed);
            text = text[consumed..];
            runes++;
        }

        return runes;
    }
}
