using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using ArmAes = System.Runtime.Intrinsics.Arm.Aes;
using X86Aes = System.Runtime.Intrinsics.X86.Aes;

namespace Metrics.Cluster;

/// <summary>A keyed 128-bit hash of a series' label bytes as they came over the wire; it stands for the labels in <see cref="SeriesCache"/>.</summary>
/// <remarks>
/// The key is random for each process and never leaves it, so a sender can't aim at a collision, and a chance one among 2^32 series has
/// probability 2^-65. Four lanes take 16 bytes each and mix them by two AES rounds; the lanes are folded with two rounds each and the length.
/// Two rounds bound any difference that cancels within a lane by five active S-boxes. Without AES instructions <see cref="SipHash128"/> does the work.
/// Not a persisted format: <see cref="Model.SeriesHash"/> is.
/// </remarks>
internal sealed class SeriesFingerprint
{
    private readonly Vector128<byte> lane0;
    private readonly Vector128<byte> lane1;
    private readonly Vector128<byte> lane2;
    private readonly Vector128<byte> lane3;
    private readonly Vector128<byte> round0;
    private readonly Vector128<byte> round1;
    private readonly UInt128 sipKey;
    private readonly bool useAes;

    /// <summary>Takes 112 bytes of key; <paramref name="allowAes"/> false forces the software hash.</summary>
    public SeriesFingerprint(ReadOnlySpan<byte> key, bool allowAes = true)
    {
        lane0 = Vector128.Create(key[..16]);
        lane1 = Vector128.Create(key[16..32]);
        lane2 = Vector128.Create(key[32..48]);
        lane3 = Vector128.Create(key[48..64]);
        round0 = Vector128.Create(key[64..80]);
        round1 = Vector128.Create(key[80..96]);
        sipKey = MemoryMarshal.Read<UInt128>(key[96..112]);
        useAes = allowAes && (X86Aes.IsSupported || ArmAes.IsSupported);
    }

    /// <summary>The hash under this process's key.</summary>
    public static SeriesFingerprint OfProcess { get; } = new(System.Security.Cryptography.RandomNumberGenerator.GetBytes(KeyBytes));

    /// <summary>The length of a key.</summary>
    public const int KeyBytes = 112;

    /// <summary>Hashes label bytes.</summary>
    public UInt128 Of(ReadOnlySpan<byte> bytes) => useAes ? OfAes(bytes) : SipHash128.Of(bytes, sipKey);

    private UInt128 OfAes(ReadOnlySpan<byte> bytes)
    {
        var a = lane0;
        var b = lane1;
        var c = lane2;
        var d = lane3;
        ref var start = ref MemoryMarshal.GetReference(bytes);
        var at = 0;
        for (; bytes.Length - at >= 64; at += 64)
        {
            a = Mix(a ^ Load(ref start, at));
            b = Mix(b ^ Load(ref start, at + 16));
            c = Mix(c ^ Load(ref start, at + 32));
            d = Mix(d ^ Load(ref start, at + 48));
        }

        if (bytes.Length - at >= 16)
        {
            a = Mix(a ^ Load(ref start, at));
            at += 16;
        }

        if (bytes.Length - at >= 16)
        {
            b = Mix(b ^ Load(ref start, at));
            at += 16;
        }

        if (bytes.Length - at >= 16)
        {
            c = Mix(c ^ Load(ref start, at));
            at += 16;
        }

        // The rest, under 16 bytes: read again together with what precedes it, or padded when nothing does; the length tells the cases apart.
        if (bytes.Length > at)
        {
            d = Mix(d ^ (bytes.Length >= 16 ? Load(ref start, bytes.Length - 16) : Padded(bytes)));
        }

        // The length comes last: at the start it would share a lane with the sender's bytes, which could then stand in for it.
        var length = Vector128.Create((ulong)bytes.Length, 0).AsByte();
        var folded = Mix(Mix(Mix(Mix(Mix(a) ^ b) ^ c) ^ d) ^ length);
        return new UInt128(folded.AsUInt64()[1], folded.AsUInt64()[0]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector128<byte> Mix(Vector128<byte> state) => Round(Round(state, round0), round1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Round(Vector128<byte> state, Vector128<byte> key) =>
        X86Aes.IsSupported ? X86Aes.Encrypt(state, key) : ArmAes.MixColumns(ArmAes.Encrypt(state, Vector128<byte>.Zero)) ^ key;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Load(ref byte start, int at) => Vector128.LoadUnsafe(ref start, (nuint)at);

    private static Vector128<byte> Padded(ReadOnlySpan<byte> bytes)
    {
        Span<byte> block = stackalloc byte[16];
        block.Clear();
        bytes.CopyTo(block);
        return Vector128.Create<byte>(block);
    }
}
