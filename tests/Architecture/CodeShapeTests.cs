using System.Text.RegularExpressions;
using Xunit;

namespace Metrics.Architecture;

/// <summary>Habits of the house that no analyzer checks.</summary>
public sealed partial class CodeShapeTests
{
    /// <summary>Where a file is longer, it holds more than one subject; split it. A table or codec may come close.</summary>
    private const int MaxLines = 650;

    [Fact]
    public void AFileHasOneSubject()
    {
        var tooLong = Repository.SourcesUnder("src").Select(s => (s.Path, Lines: s.Text.Count(c => c == '\n'))).Where(s => s.Lines > MaxLines);
        Assert.Empty(tooLong);
    }

    [Fact]
    public void NoTypeHidesItsNounBehindAnEmptyWord()
    {
        var vague = from source in Repository.SourcesUnder("src")
                    from Match match in VagueName().Matches(source.Text)
                    select $"{source.Path}: {match.Value}";
        Assert.Empty(vague);
    }

    [Fact]
    public void NothingIsLeftForLater()
    {
        var left = from source in Repository.SourcesUnder("src").Concat(Repository.SourcesUnder("tests")).Concat(Repository.SourcesUnder("bench"))
                   where !source.Path.EndsWith("CodeShapeTests.cs", StringComparison.Ordinal)
                   from Match match in Unfinished().Matches(source.Text)
                   select $"{source.Path}: {match.Value}";
        Assert.Empty(left);
    }

    [GeneratedRegex(@"\b(class|record|struct) [A-Za-z]*(Manager|Helper|Helpers|Utils?|Impl|Processor)\b")]
    private static partial Regex VagueName();

    [GeneratedRegex(@"TODO|FIXME|\bHACK\b|NotImplementedException|Skip *= *""|Assert\.True\(true\)")]
    private static partial Regex Unfinished();
}
