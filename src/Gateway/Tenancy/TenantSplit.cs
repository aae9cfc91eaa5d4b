using System.Buffers;
using System.Text;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.RemoteWrite;
using Metrics.Model;
using Metrics.Wire;

namespace Metrics.Gateway.Tenancy;

/// <summary>Takes a write request apart by the value of one label, which names the tenant of each series and is removed from it; series without it stay with the request's own tenant.</summary>
/// <remarks>
/// What Thanos calls <c>receive.split-tenant-label-name</c>. Each part is a message of the same protocol, byte for byte what its sender could have sent, so that nothing behind this knows of it.
/// A part of remote write 2.0 has all symbols of the message.
/// </remarks>
internal static class TenantSplit
{
    private const byte SeriesTagV1 = (1 << 3) | 2;
    private const byte SymbolTagV2 = (4 << 3) | 2;
    private const byte SeriesTagV2 = (5 << 3) | 2;
    private const byte RefsTagV2 = (1 << 3) | 2;

    /// <summary>Tenants that one request may write to.</summary>
    private const int MaxTenants = 1000;

    /// <summary>Splits a message.</summary>
    /// <param name="message">The message.</param>
    /// <param name="protocol">Its protocol.</param>
    /// <param name="label">The label's name.</param>
    /// <param name="own">The tenant of series without it.</param>
    /// <param name="maxBytes">The most that the parts may have together.</param>
    /// <exception cref="FormatException">The message is malformed.</exception>
    /// <exception cref="WriteRefusal">It names too many tenants, or the parts are too large together.</exception>
    public static SplitMessage Split(ReadOnlySpan<byte> message, WriteProtocol protocol, string label, TenantId own, ByteSize maxBytes)
    {
        var parts = new SplitMessage(own, maxBytes);
        var name = Encoding.UTF8.GetBytes(label);
        if (protocol == WriteProtocol.V1)
        {
            SplitV1(message, name, parts);
        }
        else
        {
            SplitV2(message, name, parts);
        }

        return parts;
    }

    private static void SplitV1(ReadOnlySpan<byte> message, ReadOnlySpan<byte> name, SplitMessage parts)
    {
        var reader = new ProtobufReader(message);
        var kept = new ArrayBufferWriter<byte>();
        for (var start = 0; reader.TryReadTag(out var field, out var type); start = reader.Position)
        {
            if (field != 1)
            {
                // Metadata has no labels.
                reader.Skip(type);
                parts.Own.Write(message[start..reader.Position]);
                continue;
            }

            reader.Expect(WireType.Bytes, type, field);
            var series = reader.ReadBytes();
            kept.ResetWrittenCount();
            var tenant = RemoveLabelV1(series, name, kept, out var samples);
            if (parts.PartOf(tenant, samples) is { } part)
            {
                Put(part, SeriesTagV1, kept.WrittenSpan);
            }
        }
    }

    private static ReadOnlySpan<byte> RemoveLabelV1(ReadOnlySpan<byte> series, ReadOnlySpan<byte> name, ArrayBufferWriter<byte> kept, out int samples)
    {
        ReadOnlySpan<byte> tenant = default;
        samples = 0;
        var reader = new ProtobufReader(series);
        for (var start = 0; reader.TryReadTag(out var field, out var type); start = reader.Position)
        {
            if (field != 1 || type != WireType.Bytes)
            {
                samples += field is 2 or 4 ? 1 : 0;
                reader.Skip(type);
                kept.Write(series[start..reader.Position]);
                continue;
            }

            if (ValueOf(reader.ReadBytes(), name, out var value))
            {
                tenant = value;
            }
            else
            {
                kept.Write(series[start..reader.Position]);
            }
        }

        return tenant;
    }

    private static bool ValueOf(ReadOnlySpan<byte> label, ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        value = default;
        ReadOnlySpan<byte> own = default;
        var reader = new ProtobufReader(label);
        while (reader.TryReadTag(out var field, out var type))
        {
            switch (field)
            {
                case 1 when type == WireType.Bytes: own = reader.ReadBytes(); break;
                case 2 when type == WireType.Bytes: value = reader.ReadBytes(); break;
                default: reader.Skip(type); break;
            }
        }

        return own.SequenceEqual(name);
    }

    private static void SplitV2(ReadOnlySpan<byte> message, ReadOnlySpan<byte> name, SplitMessage parts)
    {
        var symbols = new List<(int Start, int Length)>();
        var nameSymbols = new HashSet<ulong>();
        var reader = new ProtobufReader(message);
        while (reader.TryReadTag(out var field, out var type))
        {
            if (field != 4)
            {
                reader.Skip(type);
                continue;
            }

            reader.Expect(WireType.Bytes, type, field);
            var symbol = reader.ReadBytes();
            if (symbol.SequenceEqual(name))
            {
                nameSymbols.Add((ulong)symbols.Count);
            }

            symbols.Add((reader.Position - symbol.Length, symbol.Length));
            Put(parts.Shared, SymbolTagV2, symbol);
        }

        var kept = new ArrayBufferWriter<byte>();
        var refs = new ArrayBufferWriter<byte>();
        reader = new ProtobufReader(message);
        for (var start = 0; reader.TryReadTag(out var field, out var type); start = reader.Position)
        {
            if (field != 5)
            {
                reader.Skip(type);
                if (field != 4)
                {
                    parts.Own.Write(message[start..reader.Position]);
                }

                continue;
            }

            reader.Expect(WireType.Bytes, type, field);
            kept.ResetWrittenCount();
            refs.ResetWrittenCount();
            var named = RemoveLabelV2(reader.ReadBytes(), nameSymbols, refs, kept, out var samples);
            if (named >= (ulong)symbols.Count && named != ulong.MaxValue)
            {
                throw new WireFormatException(WireError.BadTag, start, $"a label names symbol {named} of {symbols.Count}");
            }

            var tenant = named == ulong.MaxValue ? default : message.Slice(symbols[(int)named].Start, symbols[(int)named].Length);
            if (parts.PartOf(tenant, samples) is { } part)
            {
                var all = new ArrayBufferWriter<byte>(refs.WrittenCount + kept.WrittenCount + 16);
                Put(all, RefsTagV2, refs.WrittenSpan);
                all.Write(kept.WrittenSpan);
                Put(part, SeriesTagV2, all.WrittenSpan);
            }
        }
    }

    /// <summary>Copies a series without the label; gives the symbol that is its value, or the largest number when it has none.</summary>
    private static ulong RemoveLabelV2(ReadOnlySpan<byte> series, HashSet<ulong> names, ArrayBufferWriter<byte> refs, ArrayBufferWriter<byte> kept, out int samples)
    {
        var found = ulong.MaxValue;
        samples = 0;
        var pendingName = ulong.MaxValue;
        var hasName = false;
        var reader = new ProtobufReader(series);
        for (var start = 0; reader.TryReadTag(out var field, out var type); start = reader.Position)
        {
            if (field != 1)
            {
                samples += field is 2 or 3 ? 1 : 0;
                reader.Skip(type);
                kept.Write(series[start..reader.Position]);
                continue;
            }

            if (type != WireType.Bytes)
            {
                Take(reader.ReadVarint());
                continue;
            }

            // Packed.
            for (var packed = reader.ReadBytes(); !packed.IsEmpty;)
            {
                Take(Varint.Read(ref packed));
            }
        }

        if (hasName)
        {
            // An odd one: left for the reader of the part to complain of.
            PutNumber(refs, pendingName);
        }

        return found;

        void Take(ulong number)
        {
            hasName = !hasName;
            if (hasName)
            {
                pendingName = number;
            }
            else if (names.Contains(pendingName))
            {
                found = number;
            }
            else
            {
                PutNumber(refs, pendingName);
                PutNumber(refs, number);
            }
        }
    }

    private static void Put(ArrayBufferWriter<byte> to, byte tag, ReadOnlySpan<byte> content)
    {
        var head = to.GetSpan(1 + Varint.MaxBytes);
        head[0] = tag;
        to.Advance(1 + Varint.Write(head[1..], (ulong)content.Length));
        to.Write(content);
    }

    private static void PutNumber(ArrayBufferWriter<byte> to, ulong number) => to.Advance(Varint.Write(to.GetSpan(Varint.MaxBytes), number));

    /// <summary>The parts of a message.</summary>
    internal sealed class SplitMessage(TenantId own, ByteSize maxBytes)
    {
        private readonly Dictionary<TenantId, ArrayBufferWriter<byte>> parts = [];
        private int refused;
        private string firstRefused = "";
        private bool hasOwn;

        /// <summary>What every part begins with.</summary>
        public ArrayBufferWriter<byte> Shared { get; } = new();

        /// <summary>The part of the request's own tenant.</summary>
        public ArrayBufferWriter<byte> Own
        {
            get
            {
                hasOwn = true;
                return Part(own);
            }
        }

        /// <summary>The parts, the request's own among them when it has any or is the only one.</summary>
        public IEnumerable<(TenantId Tenant, ReadOnlyMemory<byte> Message)> Parts =>
            (hasOwn || parts.Count > 0 ? parts : new Dictionary<TenantId, ArrayBufferWriter<byte>> { [own] = Shared }).OrderBy(static p => p.Key).Select(static p => (p.Key, p.Value.WrittenMemory));

        /// <summary>Samples of series whose label is no tenant's name; none when there are none.</summary>
        public IReadOnlyList<Rejection> Rejections => refused == 0 ? [] : [new Rejection(RejectReason.InvalidTenant, refused, firstRefused)];

        /// <summary>Where a series of this tenant goes (empty for the request's own); null when it can't be a tenant, and the samples are counted as refused.</summary>
        /// <exception cref="WriteRefusal">There are too many tenants, or the parts are too large.</exception>
        public ArrayBufferWriter<byte>? PartOf(ReadOnlySpan<byte> tenant, int samples)
        {
            if (tenant.IsEmpty)
            {
                return Own;
            }

            var text = tenant.Length <= TenantId.MaxLength ? Encoding.UTF8.GetString(tenant) : "";
            if (TenantId.TryParse(text, out var id, out var error))
            {
                return Part(id);
            }

            refused += samples;
            firstRefused = firstRefused.Length == 0 ? text.Length == 0 ? $"tenant id is too long: limit {TenantId.MaxLength}" : error : firstRefused;
            return null;
        }

        private ArrayBufferWriter<byte> Part(TenantId id)
        {
            if (!parts.TryGetValue(id, out var part))
            {
                if (parts.Count == MaxTenants)
                {
                    throw WriteRefusal.OverLimit($"one write may name {MaxTenants} tenants");
                }

                if ((long)(parts.Count + 1) * Shared.WrittenCount > maxBytes.Bytes)
                {
                    throw WriteRefusal.TooLarge("the write, taken apart by tenant,", (long)(parts.Count + 1) * Shared.WrittenCount, maxBytes);
                }

                parts.Add(id, part = new ArrayBufferWriter<byte>(Math.Max(256, Shared.WrittenCount)));
                part.Write(Shared.WrittenSpan);
            }

            return part;
        }
    }
}
