using System.Buffers.Binary;
using System.Numerics;

namespace Metrics.Cluster;

/// <summary>SipHash-2-4 with 128 bits of output, for machines without AES instructions.</summary>
/// <remarks>Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; https://github.com/veorq/SipHash.</remarks>
internal static class SipHash128
{
    /// <summary>Hashes bytes under a key whose low half is k0.</summary>
    public static UInt128 Of(ReadOnlySpan<byte> bytes, UInt128 key)
    {
        var k0 = (ulong)key;
        var k1 = (ulong)(key >> 64);
        var v0 = 0x736f6d6570736575 ^ k0;
        var v1 = 0x646f72616e646f6d ^ k1 ^ 0xee;
        var v2 = 0x6c7967656e657261 ^ k0;
        var v3 = 0x7465646279746573 ^ k1;
        var rest = bytes;
        for (; rest.Length >= 8; rest = rest[8..])
        {
            Compress(ref v0, ref v1, ref v2, ref v3, BinaryPrimitives.ReadUInt64LittleEndian(rest));
        }

        var last = (ulong)bytes.Length << 56;
        for (var i = 0; i < rest.Length; i++)
        {
            last |= (ulong)rest[i] << (8 * i);
        }

        Compress(ref v0, ref v1, ref v2, ref v3, last);
        v2 ^= 0xee;
        Rounds(ref v0, ref v1, ref v2, ref v3, 4);
        var low = v0 ^ v1 ^ v2 ^ v3;
        v1 ^= 0xdd;
        Rounds(ref v0, ref v1, ref v2, ref v3, 4);
        return new UInt128(v0 ^ v1 ^ v2 ^ v3, low);
    }

    private static void Compress(ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3, ulong word)
    {
        v3 ^= word;
        Rounds(ref v0, ref v1, ref v2, ref v3, 2);
        v0 ^= word;
    }

    private static void Rounds(ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3, int count)
    {
        for (; count > 0; count--)
        {
            v0 += v1;
            v1 = BitOperations.RotateLeft(v1, 13) ^ v0;
            v0 = BitOperations.RotateLeft(v0, 32);
            v2 += v3;
            v3 = BitOperations.RotateLeft(v3, 16) ^ v2;
            v0 += v3;
            v3 = BitOperations.RotateLeft(v3, 21) ^ v0;
            v2 += v1;
            v1 = BitOperations.RotateLeft(v1, 17) ^ v2;
            v2 = BitOperations.RotateLeft(v2, 32);
        }
    }
}
