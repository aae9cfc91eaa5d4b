using Metrics.Model;
using Xunit;

namespace Metrics.Storage.Tests;

public class BlockSetTests
{
    [Fact]
    public void LeftoversAreSweptAndDamagedBlocksPutAsideWhileOthersServe()
    {
        using var scratch = new ScratchDirectory();
        var good = TestBlocks.Write(scratch.Path, [(Labels.Of(("a", "1")), [TestBlocks.Xor((1, 1))])], seed: 1);
        var bad = TestBlocks.Write(scratch.Path, [(Labels.Of(("a", "1")), [TestBlocks.Xor((1, 1))])], seed: 2);
        Directory.CreateDirectory(good + "X.tmp");
        File.WriteAllBytes(Path.Combine(bad, "index"), new byte[100]);
        var reports = new List<string>();
        using var set = new BlockSet(scratch.Path, reports.Add);
        Assert.Equal(good, Assert.Single(set.Blocks).DirectoryPath);
        Assert.False(Directory.Exists(good + "X.tmp"));
        Assert.True(Directory.Exists(bad + ".damaged"));
        Assert.Equal(2, reports.Count);
        Assert.Contains(reports, r => r.Contains("magic number") && r.Contains(bad));
    }

    [Fact]
    public void ABlockIsAddedReadWhileDeletedAndThenGone()
    {
        using var scratch = new ScratchDirectory();
        using var set = new BlockSet(scratch.Path, Assert.Fail);
        var ulid = Ulid.New(TimeProvider.System, new Random(3));
        using (var writer = set.Write(ulid))
        {
            writer.AddSeries(Labels.Of(("a", "1")).Encoded, [TestBlocks.Xor((1, 1))]);
            writer.Finish();
        }

        set.Add(ulid);
        using (var snapshot = set.Snapshot())
        {
            Assert.True(set.Delete(ulid));
            Assert.Empty(set.Blocks);
            Assert.Empty(Directory.EnumerateFileSystemEntries(scratch.Path));
            Assert.Single(TestBlocks.Drain(snapshot.Blocks[0].Select([], TimeRange.All)));
        }

        Assert.False(set.Delete(ulid));
    }
}
