using Metrics.Model;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.Storage.Tests.Dense;

/// <summary>The examples of FORMAT.md: what it says is what is written, and what was written once is read for good.</summary>
public sealed class DenseFormatTests(ITestOutputHelper log)
{
    private static readonly string Format = Words(File.ReadAllText(PathOfFormat()));

    [Theory]
    [InlineData("12 12 12 12")]
    [InlineData("100 115 130 145 160")]
    [InlineData("3 1 2 0 3 1")]
    [InlineData("10 13 15 20 21 26 27 30 33")]
    [InlineData("4096 12288 8192 4096")]
    [InlineData("5 6 5 7 5 900 6 5")]
    public void IntegersAreAsDrawn(string integers)
    {
        long[] items = [.. integers.Split(' ').Select(long.Parse)];
        var bytes = new byte[IntegerEncoder.MaxBytes(items.Length)];
        var length = new IntegerEncoder().Encode(items, bytes);
        Drawn(integers, bytes.AsSpan(0, length));
        var decoded = new long[items.Length];
        var reader = new DenseReader(bytes.AsSpan(0, length));
        PackedIntegers.Read(ref reader, decoded, 0, decoded.Length);
        Assert.Equal(items, decoded);
    }

    [Theory]
    [InlineData("7.5 7.5 7.5", (byte)ValueForm.Decimal)]
    [InlineData("1.25 1.5 stale", (byte)ValueForm.Decimal)]
    [InlineData("1.4142135623730951 1.4142135623730951", (byte)ValueForm.Dictionary)]
    [InlineData("1.4142135623730951 1.4142135623730954", (byte)ValueForm.Bits)]
    public void ValuesAreAsDrawn(string values, byte form)
    {
        var encoded = new ValueEncoder().Encode([.. values.Split(' ').Select(v => v == "stale" ? StaleMarker.Value : double.Parse(v))], out var chosen);
        Assert.Equal((ValueForm)form, chosen);
        Drawn(values, encoded);
    }

    [Fact]
    public void ASegmentIsAsDrawn()
    {
        using var scratch = new ScratchDirectory();
        using var writer = new BlockWriter(scratch.Path, Ulid.New(TimeProvider.System, new Random(1)), new BlockDescription { FloatEncoding = ChunkEncoding.Dense });
        for (var series = 0; series < 2; series++)
        {
            var count = 20 - (series * 4);
            writer.BeginSeries(Labels.Of(("n", $"{series}")).Encoded);
            writer.TryAddFloats([.. Enumerable.Range(20 - count, count).Select(i => (i * 15_000L) + (i % 2))], [.. Enumerable.Repeat(series + 1.0, count)]);
        }

        Drawn("the segment", File.ReadAllBytes(Path.Combine(scratch.Path, writer.Finish().Ulid.ToString(), "chunks", "000001")));
    }

    private void Drawn(string what, ReadOnlySpan<byte> bytes)
    {
        var hex = string.Join(' ', bytes.ToArray().Select(b => b.ToString("x2")));
        log.WriteLine($"{what}: {hex}");
        Assert.True(Format.Contains($" {hex} ", StringComparison.Ordinal), $"FORMAT.md lacks what {what} is: {hex}");
    }

    // The bytes between words that tell what they are: a drawing breaks lines where it likes.
    private static string Words(string text) => " " + string.Join(' ', text.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Where(w => w.Length == 2 && w.All(char.IsAsciiHexDigitLower))) + " ";

    private static string PathOfFormat()
    {
        var folder = AppContext.BaseDirectory;
        while (!Directory.Exists(Path.Combine(folder, "src", "Storage")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new DirectoryNotFoundException("the sources are not above the tests");
        }

        return Path.Combine(folder, "src", "Storage", "Chunks", "Dense", "FORMAT.md");
    }
}
