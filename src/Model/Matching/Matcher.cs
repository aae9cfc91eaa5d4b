using System.Text;
using System.Text.RegularExpressions;

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
public sealed class Matcher : IEquatable<Matcher>
{
    private readonly byte[] valueBytes;
    private readonly Regex? regex;

    /// <summary>Makes a matcher.</summary>
    /// <exception cref="FormatException">The value is no valid regular expression.</exception>
    public Matcher(MatchType type, string name, string value)
    {
        Type = type;
        Name = name;
        Value = value;
        NameBytes = Encoding.UTF8.GetBytes(name);
        valueBytes = Encoding.UTF8.GetBytes(value);
        if (type is MatchType.Regex or MatchType.NotRegex)
        {
            try
            {
                regex = new Regex($"^(?s:{value})$", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
            }
            catch (Exception e) when (e is ArgumentException or NotSupportedException)
            {
                throw new FormatException(e.Message, e);
            }
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
        MatchType.Regex => regex!.IsMatch(Encoding.UTF8.GetString(value)),
        _ => !regex!.IsMatch(Encoding.UTF8.GetString(value)),
    };

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
