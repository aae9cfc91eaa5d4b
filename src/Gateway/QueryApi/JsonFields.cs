using System.Buffers;
using System.Globalization;
using Metrics.Wire;

namespace Metrics.Gateway.QueryApi;

/// <summary>JSON of what is not samples: status, errors, names.</summary>
internal static class JsonFields
{
    /// <summary>Writes JSON as it is.</summary>
    public static void Raw(IBufferWriter<byte> to, ReadOnlySpan<byte> json) => to.Write(json);

    /// <summary>Writes a whole number.</summary>
    public static void Number(IBufferWriter<byte> to, long number)
    {
        var room = to.GetSpan(20);
        number.TryFormat(room, out var length, default, CultureInfo.InvariantCulture);
        to.Advance(length);
    }

    /// <summary>Writes a string.</summary>
    public static void String(IBufferWriter<byte> to, string text) => JsonText.WriteString(to, text);

    /// <summary>Writes a list of strings.</summary>
    public static void Strings(IBufferWriter<byte> to, IReadOnlyList<string> texts)
    {
        to.Write("["u8);
        for (var i = 0; i < texts.Count; i++)
        {
            to.Write(i == 0 ? ""u8 : ","u8);
            String(to, texts[i]);
        }

        to.Write("]"u8);
    }

    /// <summary>Writes an object of strings, in the given order.</summary>
    public static void Object(IBufferWriter<byte> to, IEnumerable<(string Name, string Value)> fields)
    {
        var isFirst = true;
        to.Write("{"u8);
        foreach (var (name, value) in fields)
        {
            to.Write(isFirst ? ""u8 : ","u8);
            isFirst = false;
            String(to, name);
            to.Write(":"u8);
            String(to, value);
        }

        to.Write("}"u8);
    }
}
