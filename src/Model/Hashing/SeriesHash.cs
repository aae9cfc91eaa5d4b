using System.Buffers.Binary;
using System.Numerics;

namespace Metrics.Model;

/// <summary>The frozen 64-bit hash of a series' canonical label bytes. Its top bits choose the shard, so it can never change.</summary>
/// <remarks>XXH64 with seed 0; Y. Collet, https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md. Test vectors are in the tests.</remarks>
public static class SeriesHash
{
    private const ulong P1 = 0x9E3779B185EBCA87;
    private const ulong P2 = 0xC2B2AE3D27D4EB4F;
    private const ulong P3 = 0x165667B19E3779F9;
    private const ulong P4 = 0x85EBCA77C2B2AE63;
    private const ulong P5 = 0x27D4EB2F165667C5;

    /// <summary>Hashes canonical label bytes (or any bytes).</summary>
    public static ulong Of(ReadOnlySpan<byte> bytes)
    {
        var rest = bytes;
        ulong h;
        if (rest.Length >= 32)
        {
            var v1 = unchecked(P1 + P2);
            var v2 = P2;
            var v3 = 0UL;
            var v4 = unchecked(0UL - P1);
            do
            {
                v1 = Round(v1, BinaryPrimitives.ReadUInt64LittleEndian(rest));
                v2 = Round(v2, BinaryPrimitives.ReadUInt64LittleEndian(rest[8..]));
                v3 = Round(v3, BinaryPrimitives.ReadUInt64LittleEndian(rest[16..]));
                v4 = Round(v4, BinaryPrimitives.ReadUInt64LittleEndian(rest[24..]));
                rest = rest[32..];
            }
            while (rest.Length >= 32);
            h = BitOperations.RotateLeft(v1, 1) + BitOperations.RotateLeft(v2, 7) + BitOperations.RotateLeft(v3, 12) + BitOperations.RotateLeft(v4, 18);
            h = Merge(Merge(Merge(Merge(h, v1), v2), v3), v4);
        }
        else
        {
            h = P5;
        }

        h += (ulong)bytes.Length;
        for (; rest.Length >= 8; rest = rest[8..])
        {
            h = (BitOperations.RotateLeft(h ^ Round(0, BinaryPrimitives.ReadUInt64LittleEndian(rest)), 27) * P1) + P4;
        }

        if (rest.Length >= 4)
        {
            h = (BitOperations.RotateLeft(h ^ (BinaryPrimitives.ReadUInt32LittleEndian(rest) * P1), 23) * P2) + P3;
            rest = rest[4..];
        }

        foreach (var b in rest)
        {
            h = BitOperations.RotateLeft(h ^ (b * P5), 11) * P1;
        }

        h = (h ^ (h >> 33)) * P2;
        h = (h ^ (h >> 29)) * P3;
        return h ^ (h >> 32);
    }

    private static ulong Round(ulong acc, ulong input) => BitOperations.RotateLeft(acc + (input * P2), 31) * P1;

    private static ulong Merge(ulong acc, ulong value) => ((acc ^ Round(0, value)) * P1) + P4;
}
