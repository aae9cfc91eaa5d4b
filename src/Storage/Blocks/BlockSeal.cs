using System.Globalization;
using System.Text;

namespace Metrics.Storage;

/// <summary>Says how the files of a block were when it was finished, so that one that came from elsewhere is told from its own.</summary>
/// <param name="IndexTables">CRC-32C over the index's table of contents and the checksums of its symbols and postings offsets; costs nothing to check on opening.</param>
/// <param name="Files">Index, chunk segments and tombstones.</param>
/// <param name="MetaChecksum">CRC-32C over the bytes of <c>meta.json</c> as 8 hexadecimal digits, which count as zeros themselves.</param>
public sealed record BlockSeal(uint IndexTables, IReadOnlyList<SealedFile> Files, string MetaChecksum = BlockSeal.NoChecksum)
{
    internal const string NoChecksum = "00000000";

    private static ReadOnlySpan<byte> Key => "\"metaChecksum\""u8;

    /// <summary>Puts the checksum of a description into it.</summary>
    internal static void WriteChecksum(byte[] json)
    {
        var at = Find(json);
        Encoding.ASCII.GetBytes(Of(json, at).ToString("x8", CultureInfo.InvariantCulture), json.AsSpan(at, NoChecksum.Length));
    }

    /// <summary>Checks the checksum in a description.</summary>
    /// <exception cref="InvalidDataException">It does not hold.</exception>
    internal static void CheckChecksum(byte[] json, string path)
    {
        var at = Find(json);
        if (at < 0)
        {
            BlockDamage.Throw(path, 0, "the seal has no checksum");
        }

        var got = Of(json, at);
        if (!uint.TryParse(json.AsSpan(at, NoChecksum.Length), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var want) || got != want)
        {
            BlockDamage.Throw(path, at, $"checksum of the description is {got:x8}, but '{Encoding.UTF8.GetString(json, at, NoChecksum.Length)}' is stored");
        }
    }

    // The place of the digits, or -1. No text inside a value has bare quotes, and the seal stands last.
    private static int Find(ReadOnlySpan<byte> json)
    {
        var at = json.LastIndexOf(Key);
        if (at < 0)
        {
            return -1;
        }

        at += Key.Length;
        while (at < json.Length && json[at] is (byte)':' or (byte)' ')
        {
            at++;
        }

        return at + NoChecksum.Length + 1 < json.Length && json[at] == (byte)'"' ? at + 1 : -1;
    }

    private static uint Of(ReadOnlySpan<byte> json, int digitsAt)
    {
        var state = Crc32C.Append(Crc32C.Start, json[..digitsAt]);
        state = Crc32C.Append(state, "00000000"u8);
        return Crc32C.Finish(Crc32C.Append(state, json[(digitsAt + NoChecksum.Length)..]));
    }
}

/// <summary>A file under a seal.</summary>
/// <param name="Path">Its path inside the block.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Crc32C">CRC-32C over all its bytes.</param>
public sealed record SealedFile(string Path, long Bytes, uint Crc32C);
