using System.Runtime.CompilerServices;

namespace Metrics.Model;

/// <summary>The NaN by which Prometheus says that a series has ended; only its exact bits count.</summary>
/// <remarks>prometheus/prometheus model/value/value.go.</remarks>
public static class StaleMarker
{
    /// <summary>The bits of the marker.</summary>
    public const ulong Bits = 0x7ff0000000000002;

    /// <summary>The bits of an ordinary NaN as Prometheus writes it.</summary>
    public const ulong NormalNaNBits = 0x7ff8000000000001;

    /// <summary>The marker as a value.</summary>
    public static double Value => BitConverter.UInt64BitsToDouble(Bits);

    /// <summary>True for the marker and no other NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Is(double value) => BitConverter.DoubleToUInt64Bits(value) == Bits;
}
