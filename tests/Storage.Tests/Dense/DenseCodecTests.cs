using FsCheck;
using FsCheck.Fluent;
using Metrics.Testing;
using Xunit;

namespace Metrics.Storage.Tests.Dense;

/// <summary>Packed integers and the forms of values, each by itself.</summary>
public sealed class DenseCodecTests
{
    [Fact]
    public void IntegersOfEveryWidthAreUnpackedAsOneByOne()
    {
        var random = new Random(1);
        for (var width = 0; width <= 64; width++)
        {
            if (!BitPacking.IsWidth(width))
            {
                continue;
            }

            foreach (var count in (int[])[0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 127, 128, 129, 1000])
            {
                var integers = Enumerable.Range(0, count).Select(_ => width == 64 ? (ulong)random.NextInt64(long.MinValue, long.MaxValue) : (ulong)random.NextInt64() & ((1UL << width) - 1)).ToArray();
                var packed = new byte[BitPacking.Bytes(count, width)];
                BitPacking.Pack(integers, width, packed);
                var unpacked = new ulong[count];
                BitPacking.Unpack(packed, width, unpacked);
                Assert.Equal(integers, unpacked);
                if (width is > 0 and < 64)
                {
                    Array.Clear(unpacked);
                    BitPacking.UnpackEach(packed, width, unpacked, 0);
                    Assert.Equal(integers, unpacked);
                }
            }
        }
    }

    [Fact]
    public void AnyIntegersComeBack() => Prop.ForAll(
        ArbMap.Default.ArbFor<(long Any, short Small, byte Kind)[]>(),
        items =>
        {
            if (items.Length > 0)
            {
                SameIntegers([.. items.Take(DenseChunk.MaxSamples).Select(i => i.Kind == 0 ? i.Any : i.Small)]);
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void IntegersOfEveryShapeComeBack()
    {
        for (var seed = 0; seed < 2000; seed++)
        {
            var random = new Random(seed);
            var count = random.Next(1, random.Next(4) == 0 ? DenseChunk.MaxSamples + 1 : 200);
            var (scale, step, factor, outliers) = (random.NextInt64(1L << random.Next(1, 62)), random.NextInt64(-1000, 1000), random.Next(3) == 0 ? 4096 : 1, random.Next(1, 40));
            var integers = new long[count];
            var sum = random.NextInt64(long.MinValue, long.MaxValue);
            for (var i = 0; i < count; i++)
            {
                sum = unchecked(sum + (factor * random.NextInt64(scale + 1)));
                integers[i] = (seed % 5) switch
                {
                    0 => unchecked((step * i) + random.Next(4)),
                    1 => sum,
                    2 => unchecked(sum * i),
                    3 => random.Next(outliers) == 0 ? random.NextInt64(long.MinValue, long.MaxValue) : factor * random.NextInt64(scale + 1),
                    _ => seed,
                };
            }

            SameIntegers(integers);
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void ValuesOfEveryKindComeBackBitByBit(string kind)
    {
        var encoder = new ValueEncoder();
        foreach (var count in (int[])[1, 2, 3, 10, 120, 480, DenseChunk.MaxSamples])
        {
            for (var seed = 0; seed < 20; seed++)
            {
                SameValues(encoder, ValueShapes.Make(kind, count, seed), seed);
            }
        }
    }

    public static TheoryData<string> Shapes() => [.. ValueShapes.All.Select(s => s.Name)];

    [Fact]
    public void HostileValuesComeBackBitByBit()
    {
        var encoder = new ValueEncoder();
        for (var seed = 0; seed < 3000; seed++)
        {
            SameValues(encoder, ValueShapes.Hostile(1 + (seed % 700), seed), seed);
        }
    }

    [Fact]
    public void AnyBitPatternsComeBack()
    {
        var encoder = new ValueEncoder();
        Prop.ForAll(ArbMap.Default.ArbFor<long[]>(), ArbMap.Default.ArbFor<double[]>(), (bits, doubles) =>
        {
            double[] values = [.. bits.Select(BitConverter.Int64BitsToDouble), .. doubles];
            if (values.Length > 0)
            {
                SameValues(encoder, values, 0);
            }
        }).QuickCheckThrowOnFailure();
    }

    /// <summary>Every form is written by some kind: none is dead.</summary>
    [Fact]
    public void EveryFormIsTheShortestOfSomething()
    {
        var encoder = new ValueEncoder();
        var random = new Random(1);
        double[] steps = [.. Enumerable.Range(0, 240).Select(i => Math.Sqrt((i / 60) + 2))];
        var bits = BitConverter.DoubleToUInt64Bits(1 / 3.0);
        double[] oneBitEach = [.. Enumerable.Range(0, 400).Select(_ => BitConverter.UInt64BitsToDouble(bits ^= 1UL << random.Next(52)))];
        Assert.Equal(ValueForm.Decimal, FormOf(ValueShapes.Make("request counter", 480, 1)));
        Assert.Equal(ValueForm.Dictionary, FormOf([.. Enumerable.Range(0, 480).Select(_ => random.Next(2) == 0 ? Math.Sqrt(2) : Math.Sqrt(3))]));
        Assert.Equal(ValueForm.Bits, FormOf([.. Enumerable.Range(0, 480).Select(i => 1 + (random.NextDouble() / 1000))]));
        Assert.Equal(ValueForm.Split, FormOf([.. Enumerable.Range(0, 480).Select(_ => (random.NextDouble() - 0.5) * 3)]));
        Assert.Equal(ValueForm.Xor, FormOf(oneBitEach));
        Assert.NotEqual(ValueForm.Xor, FormOf(steps));

        ValueForm FormOf(double[] values)
        {
            SameValues(encoder, values, 0);
            encoder.Encode(values, out var form);
            return form;
        }
    }

    [Fact]
    public void DecimalPlacesAreTheFewestThatGiveTheValueBack()
    {
        foreach (var (value, places) in ((double, int)[])[(0, 0), (12, 0), (12.5, 1), (0.1, 1), (123.456, 3), (1e-9, 9), (1 / 3.0, 16), (Math.PI, 15), (Math.Sqrt(2), -1), (-0.0, -1), (double.NaN, -1), (1e300, -1), (0.123456789012345, 15)])
        {
            Assert.Equal(places, DecimalScale.PlacesOf(value));
        }
    }

    private static void SameIntegers(long[] integers)
    {
        var encoder = new IntegerEncoder();
        var bytes = new byte[IntegerEncoder.MaxBytes(integers.Length)];
        var length = encoder.Encode(integers, bytes);
        var decoded = new long[integers.Length];
        var reader = new DenseReader(bytes.AsSpan(0, length));
        PackedIntegers.Read(ref reader, decoded, 0, decoded.Length);
        Assert.Equal(0, reader.Left);
        Assert.Equal(integers, decoded);
        var (first, end) = (integers.Length / 3, integers.Length - (integers.Length / 4));
        Array.Fill(decoded, -1);
        reader = new DenseReader(bytes.AsSpan(0, length));
        PackedIntegers.Read(ref reader, decoded, first, end);
        Assert.Equal(0, reader.Left);
        Assert.Equal(integers[first..end], decoded[first..end]);
    }

    private static void SameValues(ValueEncoder encoder, double[] values, int seed)
    {
        var bytes = encoder.Encode(values, out var form).ToArray();
        var decoded = new double[values.Length];
        DenseValues.Read(form, new DenseReader(bytes), decoded, 0, decoded.Length);
        Assert.True(values.Select(BitConverter.DoubleToUInt64Bits).SequenceEqual(decoded.Select(BitConverter.DoubleToUInt64Bits)), $"seed {seed}, {values.Length} values, {form}");
        var (first, end) = (values.Length / 3, values.Length - (values.Length / 4));
        DenseValues.Read(form, new DenseReader(bytes), decoded, first, end);
        Assert.True(values[first..end].Select(BitConverter.DoubleToUInt64Bits).SequenceEqual(decoded[first..end].Select(BitConverter.DoubleToUInt64Bits)), $"seed {seed}, a part of {values.Length} values, {form}");
    }
}
