using Metrics.Model;

namespace Metrics.Storage;

/// <summary>The postings offset table of an index: finds the list of a label pair. Thread-safe.</summary>
/// <remarks>
/// In memory are the names and, per name, the place of one value in <see cref="IndexFormat.Sampling"/>; the texts stay in the file. A look-up is
/// a binary search over the sampled values and a walk over the few between two of them.
/// </remarks>
internal sealed class PostingsTable
{
    private readonly IBlockFile file;
    private readonly long bodyOffset;
    private readonly List<NameEntry> names = [];

    public PostingsTable(IBlockFile file, long offset)
    {
        this.file = file;
        bodyOffset = offset + 4;
        var body = IndexSections.Read(file, offset, "the postings offset table");
        file.Keep(bodyOffset, body.Length);
        var reader = new SpanReader(body, file.Name, bodyOffset);
        var count = reader.UInt32();
        NameEntry? current = null;
        ReadOnlySpan<byte> lastValue = default;
        var samples = new List<int>();
        for (uint i = 0; i < count; i++)
        {
            var at = reader.Offset;
            if (reader.Byte() != 2)
            {
                BlockDamage.Throw(file.Name, at, "an entry of the postings offset table does not have two keys");
            }

            var name = reader.Text();
            if (current is null || !name.SequenceEqual(current.Name))
            {
                if (current is not null && name.SequenceCompareTo(current.Name) < 0)
                {
                    BlockDamage.Throw(file.Name, at, "names of the postings offset table are not sorted");
                }

                Close(current, samples, at);
                current = new NameEntry(name.ToArray());
                names.Add(current);
                lastValue = default;
            }

            var valueAt = (int)(reader.Offset - bodyOffset);
            var value = reader.Text();
            if (current.Count > 0 && value.SequenceCompareTo(lastValue) <= 0)
            {
                BlockDamage.Throw(file.Name, at, "values of the postings offset table are not sorted");
            }

            lastValue = value;
            if (current.Count % IndexFormat.Sampling == 0)
            {
                samples.Add(valueAt);
            }

            current.Count++;
            var list = reader.UVarint();
            if (current.Name.Length == 0)
            {
                AllList = (long)list;
            }
        }

        Close(current, samples, reader.Offset);
    }

    /// <summary>Where the list of all series lies; 0 when the index has none.</summary>
    public long AllList { get; }

    /// <summary>The label names, ascending by bytes, without the empty one.</summary>
    public IEnumerable<byte[]> Names
    {
        get
        {
            foreach (var entry in names)
            {
                if (entry.Name.Length > 0)
                {
                    yield return entry.Name;
                }
            }
        }
    }

    /// <summary>Finds the offset of a pair's list.</summary>
    public bool TryFind(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, out long list)
    {
        list = 0;
        var entry = Find(name);
        if (entry is null)
        {
            return false;
        }

        // The last sampled value that is not greater than the wanted one.
        int low = 0, high = entry.Samples.Length;
        while (high - low > 1)
        {
            var middle = (low + high) / 2;
            var sampled = Rest(entry, entry.Samples[middle]);
            if (TakeText(ref sampled).SequenceCompareTo(value) <= 0)
            {
                low = middle;
            }
            else
            {
                high = middle;
            }
        }

        var rest = Rest(entry, entry.Samples[low]);
        var left = Math.Min(IndexFormat.Sampling, entry.Count - (low * IndexFormat.Sampling));
        for (; left > 0; left--)
        {
            var order = TakeText(ref rest).SequenceCompareTo(value);
            list = (long)Varint.Read(ref rest);
            if (order >= 0)
            {
                return order == 0;
            }

            SkipKeys(ref rest);
        }

        return false;
    }

    /// <summary>Shows the values of a name, ascending by bytes.</summary>
    public void VisitValues(ReadOnlySpan<byte> name, ILabelValueVisitor visitor)
    {
        var entry = Find(name);
        if (entry is null)
        {
            return;
        }

        var rest = Rest(entry, entry.Samples[0]);
        for (var left = entry.Count; left > 0; left--)
        {
            var value = TakeText(ref rest);
            if (!visitor.Visit(value, (long)Varint.Read(ref rest)))
            {
                return;
            }

            SkipKeys(ref rest);
        }
    }

    private void Close(NameEntry? entry, List<int> samples, long end)
    {
        if (entry is not null)
        {
            entry.Samples = [.. samples];
            entry.End = (int)(end - bodyOffset);
            samples.Clear();
        }
    }

    private NameEntry? Find(ReadOnlySpan<byte> name)
    {
        int low = 0, high = names.Count - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var order = names[middle].Name.AsSpan().SequenceCompareTo(name);
            if (order == 0)
            {
                return names[middle];
            }

            if (order < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle - 1;
            }
        }

        return null;
    }

    // From a value of the name to the end of the name's entries. All of it was walked when the index was opened, so walks stay inside.
    private ReadOnlySpan<byte> Rest(NameEntry entry, int at) => file.Range(bodyOffset + at, entry.End - at);

    private static ReadOnlySpan<byte> TakeText(scoped ref ReadOnlySpan<byte> rest)
    {
        var length = (int)Varint.Read(ref rest);
        var text = rest[..length];
        rest = rest[length..];
        return text;
    }

    // The count of keys and the name, which the next entry of the same name repeats.
    private static void SkipKeys(scoped ref ReadOnlySpan<byte> rest)
    {
        if (!rest.IsEmpty)
        {
            rest = rest[1..];
            TakeText(ref rest);
        }
    }

    private sealed class NameEntry(byte[] name)
    {
        public byte[] Name { get; } = name;

        public int[] Samples { get; set; } = [];

        public int Count { get; set; }

        public int End { get; set; }
    }
}
