using System.Runtime.CompilerServices;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Label names and values of a head, each stored once and known by a number. One writer; readers need no lock.</summary>
/// <remarks>
/// Append-only: text in pages, positions in pages, and an open-addressing table of numbers that is replaced as a whole when it grows. A number is published by the volatile write
/// of its table slot, after its text is in place. The first pages are small and grow: a process may have thousands of heads with a handful of series each. A reader that still has a page which was
/// replaced by a larger copy finds in it all that it can know of.
/// </remarks>
internal sealed class SymbolTable
{
    public const uint None = uint.MaxValue;
    private const int PageBits = 12;
    private const int FirstPositions = 32;
    private const int TextPageBytes = 64 * 1024;
    private const int FirstTextPageBytes = 1024;
    private byte[][] textPages = [];
    private Position[][] positions = [];
    private uint[] slots = new uint[64];
    private int textUsed;
    private uint count;

    public uint Count => Volatile.Read(ref count);

    public long Bytes { get; private set; }

    public ReadOnlySpan<byte> this[uint symbol]
    {
        get
        {
            var position = positions[symbol >> PageBits][symbol & ((1 << PageBits) - 1)];
            return textPages[position.Page].AsSpan(position.Offset, position.Length);
        }
    }

    /// <summary>The number of a text, or <see cref="None"/>.</summary>
    public uint Find(ReadOnlySpan<byte> text)
    {
        var table = Volatile.Read(ref slots);
        for (var at = SeriesHash.Of(text); ; at++)
        {
            var slot = Volatile.Read(ref table[at & (ulong)(table.Length - 1)]);
            if (slot == 0)
            {
                return None;
            }

            if (this[slot - 1].SequenceEqual(text))
            {
                return slot - 1;
            }
        }
    }

    /// <summary>The number of a text, given out now if it is new.</summary>
    public uint Intern(ReadOnlySpan<byte> text)
    {
        var found = Find(text);
        return found != None ? found : Add(text);
    }

    private uint Add(ReadOnlySpan<byte> text)
    {
        var symbol = count;
        if (symbol >> PageBits == positions.Length)
        {
            var page = new Position[symbol == 0 ? FirstPositions : 1 << PageBits];
            Volatile.Write(ref positions, [.. positions, page]);
            Bytes += (long)Unsafe.SizeOf<Position>() * page.Length;
        }
        else if (symbol == positions[0].Length)
        {
            Bytes += (long)Unsafe.SizeOf<Position>() * symbol;
            var grown = new Position[symbol * 2];
            positions[0].CopyTo(grown, 0);
            Volatile.Write(ref positions[0], grown);
        }

        if (textPages.Length == 0 || textUsed + text.Length > textPages[^1].Length)
        {
            // A text longer than a page gets a page of its own.
            var usual = textPages.Length == 0 ? FirstTextPageBytes : Math.Min(TextPageBytes, textPages[^1].Length * 2);
            var page = new byte[Math.Max(usual, text.Length)];
            Volatile.Write(ref textPages, [.. textPages, page]);
            textUsed = 0;
            Bytes += page.Length;
        }

        text.CopyTo(textPages[^1].AsSpan(textUsed));
        positions[symbol >> PageBits][symbol & ((1 << PageBits) - 1)] = new(textPages.Length - 1, textUsed, text.Length);
        textUsed += text.Length;
        Volatile.Write(ref count, symbol + 1);
        if ((symbol + 1) * 2 > slots.Length)
        {
            Grow();
        }
        else
        {
            Place(slots, symbol);
        }

        return symbol;
    }

    private void Grow()
    {
        var grown = new uint[slots.Length * 2];
        for (uint symbol = 0; symbol < count; symbol++)
        {
            Place(grown, symbol);
        }

        Volatile.Write(ref slots, grown);
    }

    private void Place(uint[] table, uint symbol)
    {
        var at = SeriesHash.Of(this[symbol]);
        while (table[at & (ulong)(table.Length - 1)] != 0)
        {
            at++;
        }

        Volatile.Write(ref table[at & (ulong)(table.Length - 1)], symbol + 1);
    }

    private readonly record struct Position(int Page, int Offset, int Length);
}
