using Xunit;

namespace Metrics.ObjectStore.Tests;

public sealed class ObjectKeyTests
{
    [Fact]
    public void LengthsAreBoundedInBytes()
    {
        Assert.Null(ObjectKey.Problem(new string('a', 255)));
        Assert.NotNull(ObjectKey.Problem(new string('a', 256)));
        Assert.Null(ObjectKey.Problem(new string('ä', 127)));
        Assert.NotNull(ObjectKey.Problem(new string('ä', 128)));
        Assert.Null(ObjectKey.Problem(string.Join('/', Enumerable.Repeat(new string('a', 204), 5))));
        Assert.NotNull(ObjectKey.Problem(string.Join('/', Enumerable.Repeat(new string('a', 205), 5))));
        Assert.NotNull(ObjectKey.Problem(string.Join('/', Enumerable.Repeat(new string('ä', 110), 5))));
    }

    [Fact]
    public void HalfACharacterIsRefused() => Assert.NotNull(ObjectKey.Problem("a" + (char)0xd800 + "b"));
}
