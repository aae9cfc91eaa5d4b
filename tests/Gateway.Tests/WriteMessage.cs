using System.Buffers.Binary;
using System.Text;
using Metrics.Model;

namespace Metrics.Gateway.Tests;

/// <summary>Makes remote write 1.0 messages, byte by byte and independently of the code under test.</summary>
internal static class WriteMessage
{
    /// <summary>A message of series.</summary>
    public static byte[] Of(params byte[][] series) => [.. series.SelectMany(s => Field(1, s))];

    /// <summary>A series: labels as <c>a=b,c=d</c> in the given order, then samples.</summary>
    public static byte[] Series(string labels, params (long TimeMs, double Value)[] samples) =>
    [
        .. labels.Split(',', StringSplitOptions.RemoveEmptyEntries).SelectMany(l => Field(1, Label(l.Split('=')[0], l.Split('=')[1]))),
        .. samples.SelectMany(s => Field(2, Sample(s.TimeMs, s.Value))),
    ];

    /// <summary>Metadata of a family: type as its number, 1 counter, 2 gauge.</summary>
    public static byte[] Metadata(int type, string family, string help, string unit) =>
        Field(3, [0x08, (byte)type, .. Field(2, Encoding.UTF8.GetBytes(family)), .. Field(4, Encoding.UTF8.GetBytes(help)), .. Field(5, Encoding.UTF8.GetBytes(unit))]);

    /// <summary>A length-delimited field.</summary>
    public static byte[] Field(int number, byte[] content) => [(byte)((number << 3) | 2), .. Number((ulong)content.Length), .. content];

    /// <summary>A varint.</summary>
    public static byte[] Number(ulong value)
    {
        Span<byte> bytes = stackalloc byte[Varint.MaxBytes];
        return bytes[..Varint.Write(bytes, value)].ToArray();
    }

    /// <summary>A Snappy block of literals only.</summary>
    public static byte[] Snappy(byte[] message)
    {
        var block = new List<byte>(Number((ulong)message.Length));
        foreach (var chunk in message.Chunk(65536))
        {
            block.AddRange([61 << 2, (byte)(chunk.Length - 1), (byte)((chunk.Length - 1) >> 8)]);
            block.AddRange(chunk);
        }

        return [.. block];
    }

    private static byte[] Label(string name, string value) => [.. Field(1, Encoding.UTF8.GetBytes(name)), .. Field(2, Encoding.UTF8.GetBytes(value))];

    private static byte[] Sample(long timeMs, double value)
    {
        var bits = new byte[8];
        BinaryPrimitives.WriteDoubleLittleEndian(bits, value);
        return [0x09, .. bits, 0x10, .. Number((ulong)timeMs)];
    }
}
