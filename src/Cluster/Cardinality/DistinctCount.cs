using System.Numerics;

namespace Metrics.Cluster;

/// <summary>Counts distinct texts, also when they are spread over shards: exactly up to <see cref="ExactMax"/>, beyond that within about two percent.</summary>
/// <remarks>Hashes as long as they are few; then a HyperLogLog of 4096 registers (Flajolet, Fusy, Gandouet, Meunier 2007). Not thread-safe.</remarks>
public sealed class DistinctCount
{
    /// <summary>As many are counted exactly.</summary>
    public const int ExactMax = 8192;

    private const int RegisterBits = 12;
    private const int Registers = 1 << RegisterBits;

    private readonly HashSet<ulong> exact;
    private byte[]? registers;

    /// <summary>Begins with none.</summary>
    public DistinctCount() => exact = [];

    /// <summary>Begins with what <see cref="Hashes"/> or <see cref="Sketch"/> of another one said.</summary>
    /// <exception cref="ArgumentException">The sketch has another size.</exception>
    public DistinctCount(IEnumerable<ulong> hashes, ReadOnlyMemory<byte> sketch)
    {
        exact = [.. hashes];
        if (sketch.Length is not (0 or Registers))
        {
            throw new ArgumentException($"got a sketch of {sketch.Length} registers, want {Registers}", nameof(sketch));
        }

        registers = sketch.IsEmpty ? null : sketch.ToArray();
    }

    /// <summary>The hashes counted, while they are counted exactly; else none.</summary>
    public IReadOnlyCollection<ulong> Hashes => exact;

    /// <summary>The registers, once there are too many to be exact; else empty.</summary>
    public ReadOnlyMemory<byte> Sketch => registers;

    /// <summary>How many different texts there were.</summary>
    public long Count
    {
        get
        {
            if (registers is null)
            {
                return exact.Count;
            }

            double sum = 0;
            var empty = 0;
            foreach (var register in registers)
            {
                sum += Math.ScaleB(1, -register);
                empty += register == 0 ? 1 : 0;
            }

            var raw = 0.7213 / (1 + (1.079 / Registers)) * Registers * Registers / sum;
            return (long)Math.Round(raw <= 2.5 * Registers && empty > 0 ? Registers * Math.Log((double)Registers / empty) : raw);
        }
    }

    /// <summary>Counts a text.</summary>
    public void Add(ReadOnlySpan<byte> text) => AddHash(Hash(text));

    /// <summary>Counts what another one counted.</summary>
    public void Add(DistinctCount other)
    {
        foreach (var hash in other.exact)
        {
            AddHash(hash);
        }

        if (other.registers is { } theirs)
        {
            BecomeSketch();
            for (var i = 0; i < Registers; i++)
            {
                registers![i] = Math.Max(registers[i], theirs[i]);
            }
        }
    }

    private void AddHash(ulong hash)
    {
        if (registers is not null)
        {
            Register(hash);
        }
        else if (exact.Add(hash) && exact.Count > ExactMax)
        {
            BecomeSketch();
        }
    }

    private void BecomeSketch()
    {
        if (registers is not null)
        {
            return;
        }

        registers = new byte[Registers];
        foreach (var hash in exact)
        {
            Register(hash);
        }

        exact.Clear();
    }

    private void Register(ulong hash)
    {
        ref var register = ref registers![hash >> (64 - RegisterBits)];
        register = Math.Max(register, (byte)(BitOperations.LeadingZeroCount((hash << RegisterBits) | (1UL << (RegisterBits - 1))) + 1));
    }

    // FNV-1a, and the finaliser of MurmurHash3 for even bits.
    private static ulong Hash(ReadOnlySpan<byte> text)
    {
        var hash = 14695981039346656037UL;
        foreach (var b in text)
        {
            hash = (hash ^ b) * 1099511628211UL;
        }

        hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdUL;
        hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53UL;
        return hash ^ (hash >> 33);
    }
}
