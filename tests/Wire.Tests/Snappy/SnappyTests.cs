using FsCheck;
using FsCheck.Fluent;
using Metrics.Testing;
using Xunit;

namespace Metrics.Wire.Tests;

public class SnappyTests
{
    private const byte Guard = 0xA5;

    [Fact]
    public void Any_bytes_come_back_through_both_codecs() =>
        Prop.ForAll<byte[], byte>((bytes, repeat) =>
        {
            // Repetition makes copies at every small offset.
            var input = Enumerable.Repeat(bytes, repeat % 40).SelectMany(b => b).ToArray();
            AssertRoundTrips(input);
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(65535)]
    [InlineData(65536)]
    [InlineData(65537)]
    [InlineData(300_000)]
    public void Every_size_comes_back_compressible_or_not(int size)
    {
        var random = new Random(size);
        var noise = new byte[size];
        random.NextBytes(noise);
        AssertRoundTrips(noise);

        var text = new byte[size];
        for (var i = 0; i < size; i++)
        {
            text[i] = (byte)"abcdefgh"[random.Next(100) < 95 ? i % 7 : random.Next(8)];
        }

        AssertRoundTrips(text);
    }

    [Fact]
    public void A_scrape_shrinks_and_comes_back()
    {
        var request = new ScrapeBodies(new KubernetesSeries().Take(500)).Request(0, 500, 3);
        AssertRoundTrips(request);
        Assert.True(Encode(request).Length < request.Length / 2);
    }

    [Theory]
    [InlineData("00", "")]
    [InlineData("0100 61", "a")]
    [InlineData("09 00 61 11 01", "aaaaaaaaa")]
    [InlineData("09 00 61 1e 01 00", "aaaaaaaaa")]
    [InlineData("06 08 616263 0a 0300", "abcabc")]
    [InlineData("06 08 616263 0b 03 00 00 00", "abcabc")]
    public void Blocks_written_by_hand_decode(string hex, string want)
    {
        var block = Convert.FromHexString(hex.Replace(" ", ""));
        using var decoded = SnappyDecoder.Decode(block, 100);
        Assert.Equal(want, System.Text.Encoding.ASCII.GetString(decoded.Span));
    }

    [Theory]
    [InlineData("", WireError.Truncated)]
    [InlineData("80", WireError.Truncated)]
    [InlineData("ffffffff7f", WireError.MalformedVarint)]
    [InlineData("8080808080", WireError.MalformedVarint)]
    [InlineData("ffffff7f00", WireError.TooLarge)]
    [InlineData("6400", WireError.TooLarge)]
    [InlineData("0504 61", WireError.Truncated)]
    [InlineData("0500 61", WireError.LengthMismatch)]
    [InlineData("0100 6100 61", WireError.LengthMismatch)]
    [InlineData("0500 61 01 00", WireError.BadReference)]
    [InlineData("0500 61 01 02", WireError.BadReference)]
    [InlineData("0500 61 01", WireError.Truncated)]
    [InlineData("0500 61 0e 01", WireError.Truncated)]
    [InlineData("0500 61 0f 010000", WireError.Truncated)]
    [InlineData("0500 61 0f ffffffff", WireError.BadReference)]
    [InlineData("14f0", WireError.Truncated)]
    [InlineData("14fc ffffffff", WireError.Truncated)]
    public void Malformed_blocks_say_what_is_wrong(string hex, WireError want)
    {
        var block = Convert.FromHexString(hex.Replace(" ", ""));
        var error = Assert.Throws<WireFormatException>(() => { SnappyDecoder.Decode(block, 1 << 20).Dispose(); });
        Assert.Equal(want, error.Error);
    }

    [Fact]
    public void A_length_over_the_limit_is_refused_before_anything_is_allocated()
    {
        var bomb = Convert.FromHexString("ffffffff07" + new string('0', 200));
        Assert.Equal(WireError.TooLarge, Assert.Throws<WireFormatException>(() => SnappyDecoder.ReadLength(bomb, 1 << 20)).Error);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<WireFormatException>(() => { SnappyDecoder.Decode(bomb, int.MaxValue).Dispose(); });
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1 << 20);
    }

    [Fact]
    public void Damaged_blocks_never_write_outside_of_their_buffer()
    {
        var request = new ScrapeBodies(new KubernetesSeries().Take(4)).Request(0, 4, 1);
        var block = Encode(request);
        for (var cut = 0; cut < block.Length; cut++)
        {
            DecodeGuarded(block.AsSpan(0, cut).ToArray(), request.Length);
            Assert.ThrowsAny<WireFormatException>(() => { SnappyDecoder.Decode(block.AsSpan(0, cut), 1 << 20).Dispose(); });
        }

        for (var bit = 0; bit < block.Length * 8; bit++)
        {
            var damaged = (byte[])block.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            DecodeGuarded(damaged, request.Length);
        }
    }

    private static void DecodeGuarded(byte[] block, int capacity)
    {
        var arena = new byte[capacity + 128];
        Array.Fill(arena, Guard);
        try
        {
            SnappyDecoder.Decode(block, arena.AsSpan(64, capacity));
        }
        catch (WireFormatException)
        {
            // Refusing is fine; writing outside is not, and is checked below.
        }

        Assert.Equal(-1, arena.AsSpan(0, 64).IndexOfAnyExcept(Guard));
        Assert.Equal(-1, arena.AsSpan(64 + capacity).IndexOfAnyExcept(Guard));
    }

    private static void AssertRoundTrips(byte[] input)
    {
        var block = Encode(input);
        using (var decoded = SnappyDecoder.Decode(block, input.Length))
        {
            Assert.True(decoded.Span.SequenceEqual(input));
        }

        // Into a buffer without any room to spare.
        var exact = new byte[input.Length];
        Assert.Equal(input.Length, SnappyDecoder.Decode(block, exact));
        Assert.Equal(input, exact);

        if (input.Length > 0)
        {
            Assert.Equal(input, IronSnappy.Snappy.Decode(block));
            using var theirs = SnappyDecoder.Decode(IronSnappy.Snappy.Encode(input), input.Length);
            Assert.True(theirs.Span.SequenceEqual(input));
        }
    }

    private static byte[] Encode(byte[] input)
    {
        var block = new byte[SnappyEncoder.MaxEncodedLength(input.Length)];
        return block.AsSpan(0, SnappyEncoder.Encode(input, block)).ToArray();
    }
}
