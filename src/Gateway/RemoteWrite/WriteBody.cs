using System.Buffers;
using Metrics.Gateway.Configuration;
using Metrics.Wire;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>The bytes of one write request in pooled memory, as sent and decompressed, and its share of the budget.</summary>
/// <remarks>Every buffer is preceded by its limit and its share of the budget. Dispose gives buffers and share back. One owner; not thread-safe.</remarks>
internal sealed class WriteBody(ByteBudget budget, RemoteWriteOptions options) : IDisposable
{
    private const int DecoderSlop = 64;
    private const int FirstChunk = 64 * 1024;

    private byte[] sent = [];
    private byte[] message = [];
    private int messageBytes;
    private long taken;

    /// <summary>Bytes as sent.</summary>
    public int SentBytes { get; private set; }

    /// <summary>The decompressed message; borrowed until <see cref="Dispose"/>.</summary>
    public ReadOnlyMemory<byte> Message => message.AsMemory(0, messageBytes);

    /// <summary>Reads the body.</summary>
    /// <exception cref="WriteRefusal">It is too large, or the budget is used up.</exception>
    public async ValueTask ReadAsync(HttpRequest request, CancellationToken cancellation)
    {
        if (request.ContentLength > options.MaxBody.Bytes)
        {
            throw WriteRefusal.TooLarge("request body", request.ContentLength.Value, options.MaxBody);
        }

        Take(request.ContentLength ?? FirstChunk);
        sent = ArrayPool<byte>.Shared.Rent((int)(request.ContentLength ?? FirstChunk));
        while (true)
        {
            if (SentBytes == request.ContentLength)
            {
                return;
            }

            if (SentBytes == sent.Length)
            {
                Grow();
            }

            var read = await request.Body.ReadAsync(sent.AsMemory(SentBytes), cancellation);
            if (read == 0)
            {
                return;
            }

            SentBytes += read;
            if (SentBytes > options.MaxBody.Bytes)
            {
                throw WriteRefusal.TooLarge("request body", SentBytes, options.MaxBody);
            }
        }
    }

    /// <summary>Decompresses what was read.</summary>
    /// <exception cref="WriteRefusal">It is no Snappy block, is too large, or the budget is used up.</exception>
    public void Decompress()
    {
        var block = sent.AsSpan(0, SentBytes);
        try
        {
            var declared = SnappyDecoder.ReadLength(block, int.MaxValue);
            if (declared > options.MaxDecompressed.Bytes)
            {
                throw WriteRefusal.TooLarge("decompressed request body", declared, options.MaxDecompressed);
            }

            // The decoder writes 64 bytes at a time where there is room.
            Take(declared + DecoderSlop);
            message = ArrayPool<byte>.Shared.Rent(declared + DecoderSlop);
            messageBytes = SnappyDecoder.Decode(block, message);
        }
        catch (WireFormatException e)
        {
            throw WriteRefusal.Malformed(e.Message);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (sent.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(sent);
            sent = [];
        }

        if (message.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(message);
            message = [];
            messageBytes = 0;
        }

        budget.Return(taken);
        taken = 0;
    }

    private void Take(long bytes)
    {
        if (!budget.TryTake(bytes))
        {
            throw WriteRefusal.Busy($"writes in flight hold {budget.Taken} bytes and this one needs {bytes} more, limit {options.MaxInflight}; try again");
        }

        taken += bytes;
    }

    private void Grow()
    {
        Take(sent.Length);
        var grown = ArrayPool<byte>.Shared.Rent(sent.Length * 2);
        sent.AsSpan(0, SentBytes).CopyTo(grown);
        ArrayPool<byte>.Shared.Return(sent);
        sent = grown;
    }
}
