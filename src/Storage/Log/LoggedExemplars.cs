using System.Buffers.Binary;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>The exemplars of a log record; see FORMAT.md.</summary>
internal static class LoggedExemplars
{
    /// <summary>Room enough for <see cref="Write"/>.</summary>
    public static int MaxBytes(List<Exemplar> exemplars) => exemplars.Count == 0 ? 0 : Varint.MaxBytes + exemplars.Sum(e => (3 * Varint.MaxBytes) + sizeof(double) + e.Labels.Encoded.Length);

    /// <summary>Writes the exemplars; gives the number of bytes.</summary>
    public static int Write(Span<byte> to, List<Exemplar> exemplars)
    {
        var at = Varint.Write(to, (ulong)exemplars.Count);
        foreach (var exemplar in exemplars)
        {
            at += Varint.Write(to[at..], exemplar.Series);
            at += Varint.WriteSigned(to[at..], exemplar.TimeMs);
            BinaryPrimitives.WriteDoubleLittleEndian(to[at..], exemplar.Value);
            at += sizeof(double);
            at += Varint.Write(to[at..], (ulong)exemplar.Labels.Encoded.Length);
            exemplar.Labels.Encoded.CopyTo(to[at..]);
            at += exemplar.Labels.Encoded.Length;
        }

        return at;
    }

    /// <summary>Reads the exemplars and steps past them.</summary>
    /// <exception cref="FormatException">The bytes end inside one.</exception>
    public static List<Exemplar> Read(ref ReadOnlySpan<byte> rest)
    {
        var exemplars = new List<Exemplar>();
        for (var left = Varint.Read(ref rest); left > 0; left--)
        {
            var series = checked((uint)Varint.Read(ref rest));
            var time = Varint.ReadSigned(ref rest);
            var value = BinaryPrimitives.ReadDoubleLittleEndian(rest);
            rest = rest[sizeof(double)..];
            var length = checked((int)Varint.Read(ref rest));
            exemplars.Add(new Exemplar(series, time, value, Labels.FromEncoded(rest[..length])));
            rest = rest[length..];
        }

        return exemplars;
    }
}
