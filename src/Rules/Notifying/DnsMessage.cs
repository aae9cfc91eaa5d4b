using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace Metrics.Rules.Notifying;

/// <summary>DNS messages that ask for and give addresses and services (RFC 1035, 2782, 3596).</summary>
internal static class DnsMessage
{
    private const int HeaderBytes = 12;
    private const int MaxPointers = 64;
    private const int NameError = 3;

    /// <summary>The number of a type of records.</summary>
    public static int NumberOf(DnsRecordType type) => type switch { DnsRecordType.Srv => 33, DnsRecordType.A => 1, _ => 28 };

    /// <summary>A question for records of one type.</summary>
    /// <exception cref="InvalidDataException">The name is none.</exception>
    public static byte[] Question(ushort id, string name, DnsRecordType type)
    {
        var message = new List<byte> { (byte)(id >> 8), (byte)id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
        foreach (var label in name.TrimEnd('.').Split('.'))
        {
            var bytes = Encoding.UTF8.GetBytes(label);
            if (bytes.Length is 0 or > 63)
            {
                throw new InvalidDataException($"\"{name}\" is no domain name");
            }

            message.Add((byte)bytes.Length);
            message.AddRange(bytes);
        }

        message.AddRange([0, 0, (byte)NumberOf(type), 0, 1]);
        return [.. message];
    }

    /// <summary>True when the answer did not fit.</summary>
    public static bool IsTruncated(ReadOnlySpan<byte> message) => message.Length > 2 && (message[2] & 2) != 0;

    /// <summary>The hosts of an answer in its order: names with ports of services, else addresses and <paramref name="port"/>; none when the name does not exist.</summary>
    /// <exception cref="InvalidDataException">It is no answer to the question, or says that the server failed.</exception>
    public static IReadOnlyList<(string Host, int Port)> Read(ReadOnlySpan<byte> message, ushort id, DnsRecordType type, int port)
    {
        if (message.Length < HeaderBytes || Word(message, 0) != id || (message[2] & 0x80) == 0)
        {
            throw new InvalidDataException("no answer to the question");
        }

        var code = message[3] & 15;
        if (code != 0)
        {
            return code == NameError ? [] : throw new InvalidDataException($"name server answered with code {code}");
        }

        var at = HeaderBytes;
        for (var i = Word(message, 4); i > 0; i--)
        {
            ReadName(message, ref at);
            at += 4;
        }

        var hosts = new List<(string, int)>();
        for (var i = Word(message, 6); i > 0; i--)
        {
            ReadName(message, ref at);
            var recordType = Word(message, at);
            var length = Word(message, at + 8);
            var data = at + 10;
            if (recordType == NumberOf(type))
            {
                hosts.Add(type == DnsRecordType.Srv ? ReadService(message, data) : (ReadAddress(message, data, length, type), port));
            }

            at = data + length;
        }

        return hosts;
    }

    private static (string, int) ReadService(ReadOnlySpan<byte> message, int at)
    {
        var port = Word(message, at + 4);
        at += 6;
        return (ReadName(message, ref at), port);
    }

    private static string ReadAddress(ReadOnlySpan<byte> message, int at, int length, DnsRecordType type) =>
        length == (type == DnsRecordType.A ? 4 : 16) && at + length <= message.Length
            ? new IPAddress(message.Slice(at, length)).ToString()
            : throw new InvalidDataException("an address of the wrong length");

    private static int Word(ReadOnlySpan<byte> message, int at) =>
        at + 2 <= message.Length ? BinaryPrimitives.ReadUInt16BigEndian(message[at..]) : throw new InvalidDataException("answer ends too soon");

    private static string ReadName(ReadOnlySpan<byte> message, ref int at)
    {
        var name = new StringBuilder();
        var position = at;
        var end = -1;
        for (var pointers = 0; ;)
        {
            var length = position < message.Length ? message[position] : throw new InvalidDataException("answer ends too soon");
            if ((length & 0xC0) == 0xC0)
            {
                end = end < 0 ? position + 2 : end;
                position = Word(message, position) & 0x3FFF;
                if (++pointers > MaxPointers)
                {
                    throw new InvalidDataException("name without end");
                }

                continue;
            }

            position++;
            if (length == 0)
            {
                at = end < 0 ? position : end;
                return name.ToString();
            }

            if (position + length > message.Length)
            {
                throw new InvalidDataException("answer ends too soon");
            }

            name.Append(name.Length > 0 ? "." : "").Append(Encoding.UTF8.GetString(message.Slice(position, length)));
            position += length;
        }
    }
}
