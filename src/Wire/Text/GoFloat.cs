using System.Buffers.Text;
using System.Globalization;

namespace Metrics.Wire;

/// <summary>Formats doubles as Go's <c>strconv.FormatFloat(f, format, -1, 64)</c> does: the fewest digits that read back as the same double.</summary>
/// <remarks>Go and .NET agree on those digits and differ in how they lay them out; only the layout is done here.</remarks>
public static class GoFloat
{
    /// <summary>The most bytes that any format takes: the smallest denormal written without exponent.</summary>
    public const int MaxBytes = 352;

    // With the shortest precision Go takes 6 for the decision between plain and exponent.
    private const int GeneralDigits = 6;

    // Whole numbers of fewer digits than this has are all exact, and so are their thousandths as far as fifteen digits tell.
    private const long ExactIntegers = 1_000_000_000_000_000;

    // A sign, 17 digits, a point, and an exponent.
    private const int MaxShortest = 32;

    /// <summary>Format <c>'f'</c>: never an exponent. Returns the number of bytes written; <paramref name="to"/> has room for <see cref="MaxBytes"/>.</summary>
    public static int FormatF(double value, Span<byte> to) =>
        TryWhole(value, to, out var written) || TryThousandths(value, to, out written) || TryAsWritten(value, to, out written) ? written : FromDigits(value, to, Layout.Fixed);

    /// <summary>Format <c>'g'</c>: an exponent below 1e-4 and from 1e+06, as in the text exposition format and in label values made of numbers.</summary>
    public static int FormatG(double value, Span<byte> to) => FromDigits(value, to, Layout.General);

    /// <summary>Format of sample values in Prometheus's JSON: <c>'e'</c> below 1e-6 and from 1e21, <c>'f'</c> between.</summary>
    public static int FormatJson(double value, Span<byte> to)
    {
        var magnitude = Math.Abs(value);
        if (magnitude != 0 && (magnitude < 1e-6 || magnitude >= 1e21))
        {
            return FromDigits(value, to, Layout.Exponent);
        }

        return FormatF(value, to);
    }

    /// <summary>Fast path: whole numbers, as most counters are.</summary>
    private static bool TryWhole(double value, Span<byte> to, out int written)
    {
        var whole = (long)value;
        if (whole == value && whole is > -ExactIntegers and < ExactIntegers && (whole != 0 || !double.IsNegative(value)))
        {
            return Utf8Formatter.TryFormat(whole, to, out written);
        }

        written = 0;
        return false;
    }

    /// <summary>
    /// Fast path: up to three decimals, as measured values have. Decimals of 15 digits are different doubles, so when one of them reads back as the value, no shorter one does.
    /// </summary>
    private static bool TryThousandths(double value, Span<byte> to, out int written)
    {
        written = 0;
        var magnitude = Math.Abs(value);
        if (!(magnitude < ExactIntegers / 1000))
        {
            return false;
        }

        var thousandths = (long)Math.Round(magnitude * 1000);
        if (thousandths / 1000.0 != magnitude || thousandths == 0)
        {
            return false;
        }

        if (double.IsNegative(value))
        {
            to[written++] = (byte)'-';
        }

        var (whole, rest) = Math.DivRem(thousandths, 1000);
        Utf8Formatter.TryFormat(whole, to[written..], out var digits);
        written += digits;
        if (rest == 0)
        {
            return true;
        }

        to[written] = (byte)'.';
        to[written + 1] = (byte)('0' + (rest / 100));
        to[written + 2] = (byte)('0' + (rest / 10 % 10));
        to[written + 3] = (byte)('0' + (rest % 10));
        written += rest % 10 != 0 ? 4 : rest % 100 != 0 ? 3 : 2;
        return true;
    }

    /// <summary>What .NET writes without an exponent, Go writes alike.</summary>
    private static bool TryAsWritten(double value, Span<byte> to, out int written) =>
        value.TryFormat(to, out written, default, CultureInfo.InvariantCulture) && double.IsFinite(value) && !to[..written].Contains((byte)'E');

    private static int FromDigits(double value, Span<byte> to, Layout layout)
    {
        if (!double.IsFinite(value))
        {
            var name = double.IsNaN(value) ? "NaN"u8 : value > 0 ? "+Inf"u8 : "-Inf"u8;
            name.CopyTo(to);
            return name.Length;
        }

        Span<byte> shortest = stackalloc byte[MaxShortest];
        value.TryFormat(shortest, out var length, default, CultureInfo.InvariantCulture);
        Span<byte> digits = stackalloc byte[MaxShortest];
        var count = TakeDigits(shortest[..length], digits, out var point);
        var written = 0;
        if (double.IsNegative(value))
        {
            to[written++] = (byte)'-';
        }

        return written + Lay(digits[..count], point, to[written..], layout);
    }

    /// <summary>Splits .NET's shortest text into significant digits and the position of the point: the value is 0.digits * 10^point.</summary>
    private static int TakeDigits(ReadOnlySpan<byte> text, Span<byte> digits, out int point)
    {
        var count = 0;
        var exponent = 0;
        var before = 0;
        var seenPoint = false;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == (byte)'E')
            {
                exponent = int.Parse(text[(i + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
                break;
            }

            if (c == (byte)'.')
            {
                seenPoint = true;
            }
            else if (c != (byte)'-')
            {
                if (count == 0 && c == (byte)'0')
                {
                    before -= seenPoint ? 1 : 0;
                    continue;
                }

                digits[count++] = c;
                before += seenPoint ? 0 : 1;
            }
        }

        while (count > 0 && digits[count - 1] == (byte)'0')
        {
            count--;
        }

        point = count == 0 ? 0 : before + exponent;
        return count;
    }

    private static int Lay(ReadOnlySpan<byte> digits, int point, Span<byte> to, Layout layout)
    {
        var exponent = digits.IsEmpty ? 0 : point - 1;
        var scientific = layout switch
        {
            Layout.Exponent => true,
            Layout.General => exponent is < -4 or >= GeneralDigits,
            _ => false,
        };
        return scientific ? LayExponent(digits, exponent, to) : LayFixed(digits, point, to);
    }

    private static int LayFixed(ReadOnlySpan<byte> digits, int point, Span<byte> to)
    {
        var at = 0;
        if (point <= 0)
        {
            to[at++] = (byte)'0';
            if (digits.IsEmpty)
            {
                return at;
            }

            to[at++] = (byte)'.';
            to.Slice(at, -point).Fill((byte)'0');
            at -= point;
            digits.CopyTo(to[at..]);
            return at + digits.Length;
        }

        if (digits.Length <= point)
        {
            digits.CopyTo(to);
            to[digits.Length..point].Fill((byte)'0');
            return point;
        }

        digits[..point].CopyTo(to);
        to[point] = (byte)'.';
        digits[point..].CopyTo(to[(point + 1)..]);
        return digits.Length + 1;
    }

    private static int LayExponent(ReadOnlySpan<byte> digits, int exponent, Span<byte> to)
    {
        var at = 0;
        to[at++] = digits.IsEmpty ? (byte)'0' : digits[0];
        if (digits.Length > 1)
        {
            to[at++] = (byte)'.';
            digits[1..].CopyTo(to[at..]);
            at += digits.Length - 1;
        }

        to[at++] = (byte)'e';
        to[at++] = exponent < 0 ? (byte)'-' : (byte)'+';
        exponent = Math.Abs(exponent);
        if (exponent < 10)
        {
            to[at++] = (byte)'0';
        }

        Utf8Formatter.TryFormat(exponent, to[at..], out var written);
        return at + written;
    }

    private enum Layout
    {
        Fixed,
        Exponent,
        General,
    }
}
