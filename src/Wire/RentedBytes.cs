using System.Buffers;

namespace Metrics.Wire;

/// <summary>Bytes in an array of the shared pool. The holder is the one owner and disposes it exactly once; copies of the struct share the array.</summary>
public struct RentedBytes : IDisposable
{
    private byte[]? array;

    internal RentedBytes(byte[] array, int length)
    {
        this.array = array;
        Length = length;
    }

    /// <summary>The number of bytes held.</summary>
    public int Length { get; private set; }

    /// <summary>The bytes; valid until <see cref="Dispose"/>.</summary>
    public readonly ReadOnlySpan<byte> Span => array.AsSpan(0, Length);

    /// <summary>The bytes, for callers that must carry them over an await; valid until <see cref="Dispose"/>.</summary>
    public readonly ReadOnlyMemory<byte> Memory => array.AsMemory(0, Length);

    /// <summary>Gives the array back to the pool.</summary>
    public void Dispose()
    {
        var owned = array;
        array = null;
        Length = 0;
        if (owned is not null)
        {
            ArrayPool<byte>.Shared.Return(owned);
        }
    }
}
