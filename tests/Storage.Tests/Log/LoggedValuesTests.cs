using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Metrics.Storage.Tests.Log;

public sealed class LoggedValuesTests
{
    [Fact]
    public void AValueTakesTheFewestDecimalsThatGiveItsBits() => Check.One(Config.QuickThrowOnFailure.WithMaxTest(20_000), Prop.ForAll(AnyValue().ToArbitrary(), value =>
    {
        var bytes = new byte[LoggedValues.MaxBytes + 8];
        var length = LoggedValues.Write(bytes, [value]);
        ReadOnlySpan<byte> rest = bytes.AsSpan(0, length);
        var read = LoggedValues.Read(ref rest);
        var decimals = bytes[0] >= 0x80 ? 0 : bytes[0] == 0x78 ? -1 : bytes[0] >> 4;
        return rest.IsEmpty && BitConverter.DoubleToInt64Bits(read) == BitConverter.DoubleToInt64Bits(value) && decimals == FewestDecimals(value);
    }));

    [Theory]
    [InlineData(0, 1)]
    [InlineData(127, 1)]
    [InlineData(128, 3)]
    [InlineData(-1, 2)]
    [InlineData(0.25, 2)]
    [InlineData(-0.0, 9)]
    [InlineData(double.NaN, 9)]
    [InlineData(double.NegativeInfinity, 9)]
    [InlineData(9007199254740991, 8)]
    [InlineData(9007199254740992, 9)]
    [InlineData(1e300, 9)]
    [InlineData(Math.PI, 9)]
    public void AValueTakesAsManyBytesAsItsDigitsNeed(double value, int length) => Assert.Equal(length, LoggedValues.Write(new byte[32], [value]));

    // As FORMAT.md says it, one after the other.
    private static int FewestDecimals(double value)
    {
        double power = 1;
        for (var decimals = 0; decimals <= 4; decimals++, power *= 10)
        {
            var mantissa = Math.Round(value * power);
            if (!(Math.Abs(mantissa) < 1L << 53))
            {
                return -1;
            }

            if (BitConverter.DoubleToInt64Bits((long)mantissa / power) == BitConverter.DoubleToInt64Bits(value))
            {
                return decimals;
            }
        }

        return -1;
    }

    private static Gen<double> AnyValue() => Gen.OneOf(
        Gen.Choose(-1000, 1000).Select(static n => (double)n),
        from digits in Gen.Choose(0, int.MaxValue)
        from more in Gen.Choose(0, 1 << 22)
        from decimals in Gen.Choose(0, 6)
        select ((digits * (double)more) + digits) / Math.Pow(10, decimals),
        from high in Gen.Choose(int.MinValue, int.MaxValue)
        from low in Gen.Choose(int.MinValue, int.MaxValue)
        select BitConverter.Int64BitsToDouble(((long)high << 32) | (uint)low),
        from digits in Gen.Choose(0, int.MaxValue)
        from decimals in Gen.Choose(0, 5)
        from off in Gen.Choose(-1, 1)
        select BitConverter.Int64BitsToDouble(BitConverter.DoubleToInt64Bits(digits / Math.Pow(10, decimals)) + off));
}
