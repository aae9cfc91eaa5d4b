namespace Metrics.Storage;

/// <summary>Something wrong with a block's files.</summary>
/// <param name="File">The path of the file.</param>
/// <param name="Offset">Where in the file it is, in bytes.</param>
/// <param name="Reason">What is wrong.</param>
public sealed record BlockDefect(string File, long Offset, string Reason)
{
    private const string OffsetWord = ": offset ";

    /// <summary>As every message about a damaged block: <c>file: offset N: reason</c>.</summary>
    public override string ToString() => $"{File}{OffsetWord}{Offset}: {Reason}";

    /// <summary>The defect that a reader's error tells of; readers' messages have the form of <see cref="ToString"/>.</summary>
    /// <param name="error">The error.</param>
    /// <param name="file">The file to name when the message names none.</param>
    internal static BlockDefect Of(InvalidDataException error, string file)
    {
        var message = error.Message;
        var word = message.IndexOf(OffsetWord, StringComparison.Ordinal);
        if (word > 0)
        {
            var number = word + OffsetWord.Length;
            var end = number;
            while (end < message.Length && char.IsAsciiDigit(message[end]))
            {
                end++;
            }

            if (long.TryParse(message.AsSpan(number, end - number), out var offset))
            {
                return new BlockDefect(message[..word], offset, message[end..].TrimStart(':', ' '));
            }
        }

        return new BlockDefect(file, 0, message);
    }
}

/// <summary>The defects found so far, as many as a person can use. Not thread-safe.</summary>
internal sealed class DefectList(int limit)
{
    private readonly List<BlockDefect> found = [];

    /// <summary>The defects in the order they were found.</summary>
    public IReadOnlyList<BlockDefect> Found => found;

    /// <summary>True when no more are taken.</summary>
    public bool IsFull => found.Count >= limit;

    /// <summary>Takes a defect, unless there are enough.</summary>
    public void Add(string file, long offset, string reason)
    {
        if (!IsFull)
        {
            found.Add(new BlockDefect(file, offset, reason));
        }
    }

    /// <summary>Takes the defect that a reader met.</summary>
    public void Add(InvalidDataException error, string file)
    {
        if (!IsFull)
        {
            found.Add(BlockDefect.Of(error, file));
        }
    }
}
