using System.Buffers.Binary;
using System.Globalization;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>The layout of segment files; see FORMAT.md.</summary>
internal static class LogSegment
{
    public const int HeaderBytes = 16;
    public const int FrameHeaderBytes = 8;
    public const int MaxPayloadBytes = 256 * 1024 * 1024;
    public const string Extension = ".log";
    public const string CheckpointExtension = ".checkpoint";
    private const uint Magic = 0x474f4c4d; // "MLOG"
    private const uint Version = 2;

    /// <summary>The path of the segment, or of another file, whose records begin with a number.</summary>
    public static string PathOf(string directory, long first, string extension = Extension) => Path.Combine(directory, first.ToString("D20", CultureInfo.InvariantCulture) + extension);

    /// <summary>The numbers in the names of files with an extension, ascending.</summary>
    public static List<long> Firsts(string directory, string extension)
    {
        var firsts = new List<long>();
        foreach (var path in Directory.EnumerateFiles(directory, "*" + extension))
        {
            if (long.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.None, CultureInfo.InvariantCulture, out var first))
            {
                firsts.Add(first);
            }
        }

        firsts.Sort();
        return firsts;
    }

    /// <summary>The first record of the segment that holds a record; null when all segments hold that one or later ones, and so are needed.</summary>
    public static long? FirstNeeded(string directory, long record)
    {
        var firsts = Firsts(directory, Extension);
        var kept = firsts.FindLastIndex(f => f <= record);
        return kept > 0 ? firsts[kept] : null;
    }

    /// <summary>Deletes the files with these extensions whose number is lower, durably; ascending, so that a crash leaves no hole.</summary>
    public static void DeleteBefore(string directory, long first, params string[] extensions)
    {
        foreach (var extension in extensions)
        {
            foreach (var old in Firsts(directory, extension).Where(f => f < first))
            {
                File.Delete(PathOf(directory, old, extension));
            }
        }

        DurableFile.FlushFolder(directory);
    }

    public static void WriteHeader(Span<byte> into, long first)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(into, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(into[4..], Version);
        BinaryPrimitives.WriteInt64LittleEndian(into[8..], first);
    }

    /// <summary>What is wrong with a header, or null.</summary>
    public static string? CheckHeader(ReadOnlySpan<byte> header, long first)
    {
        if (BinaryPrimitives.ReadUInt32LittleEndian(header) != Magic)
        {
            return "it does not begin with MLOG";
        }

        if (BinaryPrimitives.ReadUInt32LittleEndian(header[4..]) is var version && version != Version)
        {
            return $"its version is {version}, known is {Version}";
        }

        var named = BinaryPrimitives.ReadInt64LittleEndian(header[8..]);
        return named == first ? null : $"its header says that it begins with record {named}, its name says {first}";
    }

    public static uint Checksum(long number, ReadOnlySpan<byte> payload)
    {
        Span<byte> place = stackalloc byte[12];
        BinaryPrimitives.WriteInt64LittleEndian(place, number);
        BinaryPrimitives.WriteInt32LittleEndian(place[8..], payload.Length);
        return Crc32C.Finish(Crc32C.Append(Crc32C.Append(Crc32C.Start, place), payload));
    }

    /// <summary>Writes the frame of a record; returns its length.</summary>
    public static int WriteFrame(Span<byte> into, long number, ReadOnlySpan<byte> payload)
    {
        BinaryPrimitives.WriteInt32LittleEndian(into, payload.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(into[4..], Checksum(number, payload));
        payload.CopyTo(into[FrameHeaderBytes..]);
        return FrameHeaderBytes + payload.Length;
    }
}
