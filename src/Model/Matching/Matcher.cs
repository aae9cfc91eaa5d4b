using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Metrics.Model;

/// <summary>How a matcher compares.</summary>
public enum MatchType
{
    /// <summary><c>=</c></summary>
    Equal,

    /// <summary><c>!=</c></summary>
    NotEqual,

    /// <summary><c>=~</c></summary>
    Regex,

    /// <summary><c>!~</c></summary>
    NotRegex,
}

/// <summary>A condition on one label's value. A label that a series lacks has the empty value.</summary>
/// <remarks>
/// Patterns are RE2's, match whole values, and <c>.</c> matches a line feed, too. Two differences from RE2 are known: <c>\b</c> and <c>\B</c> follow
/// Unicode words, and scripts (<c>\p{Greek}</c>) are refused. Immutable and thread-safe.
/// </remarks>
public sealed class Matcher : IEquatable<Matcher>
{
    private readonly byte[] valueBytes;
    private readonly ValuePattern? pattern;

    /// <summary>Makes a matcher.</summary>
    /// <exception cref="FormatException">The value is no regular expression in RE2 syntax; the message is Go's.</exception>
    public Matcher(MatchType type, string name, string value)
    {
        Type = type;
        Name = name;
        Value = value;
        NameBytes = Encoding.UTF8.GetBytes(name);
        valueBytes = Encoding.UTF8.GetBytes(value);
        if (type is MatchType.Regex or MatchType.NotRegex)
        {
            pattern = ValuePattern.Compile(value);
        }
    }

    /// <summary>How the value is compared.</summary>
    public MatchType Type { get; }

    /// <summary>The label's name.</summary>
    public string Name { get; }

    /// <summary>The label's name, UTF-8.</summary>
    public byte[] NameBytes { get; }

    /// <summary>The value or pattern compared with.</summary>
    public string Value { get; }

    /// <summary>True when a series without this label satisfies the matcher.</summary>
    public bool MatchesEmpty => Matches([]);

    /// <summary>True when a label value (UTF-8) satisfies the matcher.</summary>
    public bool Matches(ReadOnlySpan<byte> value) => Type switch
    {
        MatchType.Equal => value.SequenceEqual(valueBytes),
        MatchType.NotEqual => !value.SequenceEqual(valueBytes),
        MatchType.Regex => pattern!.Matches(value),
        _ => !pattern!.Matches(value),
    };

    /// <summary>
    /// The values that <c>=</c> or <c>=~</c> accepts, ascending by bytes and each once, when they are finitely many and few; then the matcher accepts
    /// exactly these. False for other patterns and for the negative matchers.
    /// </summary>
    public bool TryGetSetMatches([NotNullWhen(true)] out IReadOnlyList<byte[]>? values)
    {
        values = Type switch { MatchType.Equal => [valueBytes], MatchType.Regex => pattern!.Set, _ => null };
        return values is not null;
    }

    /// <summary>What every value that <c>=</c> or <c>=~</c> accepts begins with, UTF-8; empty when nothing is known, and for the negative matchers.</summary>
    public ReadOnlySpan<byte> Prefix => Type switch { MatchType.Equal => valueBytes, MatchType.Regex => pattern!.Prefix, _ => default };

    /// <summary>True when all matchers hold for a label set.</summary>
    public static bool AllMatch(IReadOnlyList<Matcher> matchers, Labels labels)
    {
        foreach (var matcher in matchers)
        {
            if (!matcher.Matches(labels.Get(matcher.NameBytes)))
            {
                return false;
            }
        }

        return true;
    }

    /// <inheritdoc/>
    public bool Equals(Matcher? other) => other is not null && Type == other.Type && Name == other.Name && Value == other.Value;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Matcher);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Type, Name, Value);

    /// <summary>The matcher in PromQL notation, e.g. <c>job=~"a|b"</c>.</summary>
    public override string ToString()
    {
        var name = LabelsText.IsClassicLabelName(Name) ? Name : LabelsText.Quote(Name);
        var op = Type switch { MatchType.Equal => "=", MatchType.NotEqual => "!=", MatchType.Regex => "=~", _ => "!~" };
        return $"{name}{op}{LabelsText.Quote(Value)}";
    }
}
