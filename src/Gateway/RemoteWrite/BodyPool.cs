using System.Buffers;
using System.Numerics;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>Buffers for bodies and messages, of 1 MiB to 64 MiB each: the last returned is the next taken, so that a few, whose pages are there already, serve all connections. Thread-safe.</summary>
/// <remarks>
/// A message of 5,000 samples takes one and a half MiB. Left to the collector, such buffers make it collect all generations every twentieth request, and what is not collected yet is most of the process's memory; the shared
/// array pool keeps one of each size for every thread that ever gave one back. Smaller ones come from there, larger ones from the collector. What was not needed for a minute is let go.
/// </remarks>
/// <param name="maxKept">Bytes kept for later, at most.</param>
/// <param name="time">Tells minutes.</param>
internal sealed class BodyPool(long maxKept, TimeProvider time)
{
    private const int MinBits = 20;
    private const int MaxBits = 26;

    private static readonly TimeSpan idle = TimeSpan.FromMinutes(1);

    private readonly Lock sync = new();

    // By power of two; of each, how many were free all the time since the minute began.
    private readonly Stack<byte[]>[] free = [.. Enumerable.Range(MinBits, MaxBits - MinBits + 1).Select(static _ => new Stack<byte[]>())];
    private readonly int[] unneeded = new int[MaxBits - MinBits + 1];
    private long minute = time.GetTimestamp();
    private long kept;

    /// <summary>The one of this process; kept is a little beside what requests in flight may hold.</summary>
    public static BodyPool Shared { get; } = new(32 << 20, TimeProvider.System);

    /// <summary>Bytes kept now.</summary>
    public long Kept => Volatile.Read(ref kept);

    /// <summary>A buffer of at least so many bytes, whatever they hold.</summary>
    public byte[] Rent(int bytes)
    {
        if (bytes <= 1 << MinBits)
        {
            return ArrayPool<byte>.Shared.Rent(bytes);
        }

        if (bytes > 1 << MaxBits)
        {
            return GC.AllocateUninitializedArray<byte>(bytes);
        }

        var bits = BitOperations.Log2((uint)(bytes - 1)) + 1;
        lock (sync)
        {
            LetGo();
            var stack = free[bits - MinBits];
            if (stack.TryPop(out var buffer))
            {
                kept -= buffer.Length;
                unneeded[bits - MinBits] = Math.Min(unneeded[bits - MinBits], stack.Count);
                return buffer;
            }
        }

        return GC.AllocateUninitializedArray<byte>(1 << bits);
    }

    /// <summary>Takes back what <see cref="Rent"/> gave.</summary>
    public void Return(byte[] buffer)
    {
        if (buffer.Length <= 1 << MinBits)
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        else if (buffer.Length <= 1 << MaxBits)
        {
            lock (sync)
            {
                LetGo();
                if (kept + buffer.Length <= maxKept)
                {
                    kept += buffer.Length;
                    free[BitOperations.Log2((uint)buffer.Length) - MinBits].Push(buffer);
                }
            }
        }
    }

    private void LetGo()
    {
        if (time.GetElapsedTime(minute) < idle)
        {
            return;
        }

        minute = time.GetTimestamp();
        for (var i = 0; i < free.Length; i++)
        {
            for (var n = unneeded[i]; n > 0; n--)
            {
                kept -= free[i].Pop().Length;
            }

            unneeded[i] = free[i].Count;
        }
    }
}
