namespace Metrics.Model;

/// <summary>A parsed regular expression.</summary>
internal abstract record RegexNode
{
    /// <summary>Matches the empty string.</summary>
    public sealed record Empty : RegexNode;

    /// <summary>One code point, regardless of case when <paramref name="FoldCase"/>.</summary>
    public sealed record Literal(int Rune, bool FoldCase) : RegexNode;

    /// <summary>One code point of a set.</summary>
    public sealed record Set(RuneSet Runes, bool FoldCase) : RegexNode;

    /// <summary>A position, as .NET writes it.</summary>
    public sealed record Anchor(string Pattern) : RegexNode;

    /// <summary>One after the other.</summary>
    public sealed record Concat(IReadOnlyList<RegexNode> Parts) : RegexNode;

    /// <summary>One of several.</summary>
    public sealed record Alternate(IReadOnlyList<RegexNode> Choices) : RegexNode;

    /// <summary>Again and again; <paramref name="Max"/> is -1 for no end. Of several matches the longest, or the shortest when <paramref name="IsLazy"/>.</summary>
    public sealed record Repeat(RegexNode Body, int Min, int Max, bool IsLazy = false) : RegexNode;

    /// <summary>A group whose text is looked at; numbered from 1. Only in patterns parsed for their groups.</summary>
    public sealed record Capture(int Number, RegexNode Body) : RegexNode;

    /// <summary>True for <c>.*</c> (0) and <c>.+</c> (1) over every code point.</summary>
    public bool IsAnyRun(out int min)
    {
        min = 0;
        if (this is Repeat { Min: 0 or 1, Max: -1, Body: Set { Runes.IsEverything: true } } run)
        {
            min = run.Min;
            return true;
        }

        return false;
    }
}
