using System.Buffers.Binary;
using System.IO.Compression;
using Metrics.Gateway.Configuration;
using Metrics.Wire;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>The bytes of one write request in pooled memory, as sent and decompressed, and its share of the budget.</summary>
/// <remarks>Every buffer is preceded by its limit and its share of the budget. Dispose gives buffers and share back. One owner; not thread-safe.</remarks>
internal sealed class WriteBody(ByteBudget budget, RemoteWriteOptions options) : IDisposable
{
    /// <summary>What comes before a message of gRPC: a byte, 1 when it is compressed, and its length in four, the highest first.</summary>
    public const int FrameBytes = 5;

    private const int DecoderSlop = 64;
    private const int SmallestGzip = 18;

    /// <summary>The most bytes that deflate makes of one.</summary>
    private const long MaxDeflation = 1032;
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
            throw WriteRefusal.TooLarge("request body", request.ContentLength.Value, "max_body", options.MaxBody);
        }

        Take(request.ContentLength ?? FirstChunk);
        sent = BodyPool.Shared.Rent((int)(request.ContentLength ?? FirstChunk));
        while (true)
        {
            if (SentBytes == request.ContentLength)
            {
                return;
            }

            if (SentBytes == sent.Length)
            {
                Grow(ref sent, SentBytes);
            }

            var read = await request.Body.ReadAsync(sent.AsMemory(SentBytes), cancellation);
            if (read == 0)
            {
                return;
            }

            SentBytes += read;
            if (SentBytes > options.MaxBody.Bytes)
            {
                throw WriteRefusal.TooLarge("request body", SentBytes, "max_body", options.MaxBody);
            }
        }
    }

    /// <summary>Takes what was read out of the frame of a gRPC message; true when the message is compressed.</summary>
    /// <exception cref="WriteRefusal">It is not one whole message.</exception>
    public bool Unframe()
    {
        if (SentBytes < FrameBytes || sent[0] > 1 || BinaryPrimitives.ReadUInt32BigEndian(sent.AsSpan(1)) != (uint)(SentBytes - FrameBytes))
        {
            throw WriteRefusal.Malformed($"{SentBytes} bytes, which are not one framed message");
        }

        var isCompressed = sent[0] == 1;
        sent.AsSpan(FrameBytes, SentBytes - FrameBytes).CopyTo(sent);
        SentBytes -= FrameBytes;
        return isCompressed;
    }

    /// <summary>Decompresses what was read.</summary>
    /// <exception cref="WriteRefusal">It is not compressed so, is too large, or the budget is used up.</exception>
    public void Decompress(WriteCompression compression)
    {
        switch (compression)
        {
            case WriteCompression.Snappy:
                DecompressSnappy();
                break;
            case WriteCompression.Gzip:
                Inflate();
                break;
            default:
                (message, messageBytes) = (sent, SentBytes);
                sent = [];
                break;
        }
    }

    /// <summary>Takes bytes that are needed beside body and message, until <see cref="Dispose"/>.</summary>
    /// <exception cref="WriteRefusal">The budget is used up.</exception>
    public void Reserve(long bytes) => Take(bytes);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (sent.Length > 0)
        {
            BodyPool.Shared.Return(sent);
            sent = [];
        }

        if (message.Length > 0)
        {
            BodyPool.Shared.Return(message);
            message = [];
            messageBytes = 0;
        }

        budget.Return(taken);
        taken = 0;
    }

    private void DecompressSnappy()
    {
        var block = sent.AsSpan(0, SentBytes);
        try
        {
            var declared = SnappyDecoder.ReadLength(block, int.MaxValue);
            if (declared > options.MaxDecompressed.Bytes)
            {
                throw WriteRefusal.TooLarge("decompressed request body", declared, "max_decompressed", options.MaxDecompressed);
            }

            // The decoder writes 64 bytes at a time where there is room.
            Take(declared + DecoderSlop);
            message = BodyPool.Shared.Rent(declared + DecoderSlop);
            messageBytes = SnappyDecoder.Decode(block, message);
        }
        catch (WireFormatException e)
        {
            throw WriteRefusal.Malformed(e.Message);
        }
    }

    private void Inflate()
    {
        // The end of a gzip member is the length of what it holds, modulo 4 GiB: a bomb that is honest about it is refused unopened. Most senders write one member.
        var declared = SentBytes >= SmallestGzip ? BinaryPrimitives.ReadUInt32LittleEndian(sent.AsSpan(SentBytes - 4)) : throw WriteRefusal.Malformed("gzip: too short");
        if (declared > SentBytes * MaxDeflation)
        {
            throw WriteRefusal.Malformed($"gzip: {SentBytes} bytes cannot hold {declared}");
        }

        if (declared > options.MaxDecompressed.Bytes)
        {
            throw WriteRefusal.TooLarge("decompressed request body", declared, "max_decompressed", options.MaxDecompressed);
        }

        Take(declared + 1);
        message = BodyPool.Shared.Rent((int)declared + 1);
        using var gzip = new GZipStream(new MemoryStream(sent, 0, SentBytes, writable: false), CompressionMode.Decompress);
        try
        {
            int read;
            while ((read = gzip.Read(message, messageBytes, message.Length - messageBytes)) > 0)
            {
                messageBytes += read;
                if (messageBytes > options.MaxDecompressed.Bytes)
                {
                    throw WriteRefusal.TooLarge("decompressed request body", messageBytes, "max_decompressed", options.MaxDecompressed);
                }

                if (messageBytes == message.Length)
                {
                    Grow(ref message, messageBytes);
                }
            }
        }
        catch (InvalidDataException e)
        {
            throw WriteRefusal.Malformed($"gzip: {e.Message}");
        }

        // The stream itself does not mind being cut off. The last eight bytes tell: they are checksum and length of the last member, and what that holds is the end of the message.
        if (messageBytes != declared && (messageBytes < declared || BinaryPrimitives.ReadUInt32LittleEndian(sent.AsSpan(SentBytes - 8)) != Crc32.Of(message.AsSpan(messageBytes - (int)declared, (int)declared))))
        {
            throw WriteRefusal.Malformed($"gzip: holds {messageBytes} bytes, {declared} declared");
        }
    }

    private void Take(long bytes)
    {
        if (!budget.TryTake(bytes))
        {
            throw WriteRefusal.Busy($"writes in flight hold {budget.Taken} bytes and this one needs {bytes} more, limit remote_write.max_inflight of {options.MaxInflight}; try again");
        }

        taken += bytes;
    }

    private void Grow(ref byte[] buffer, int used)
    {
        Take(buffer.Length);
        var grown = BodyPool.Shared.Rent(buffer.Length * 2);
        buffer.AsSpan(0, used).CopyTo(grown);
        BodyPool.Shared.Return(buffer);
        buffer = grown;
    }
}
