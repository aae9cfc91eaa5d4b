using System.Xml.Linq;
using Xunit;

namespace Metrics.Architecture;

/// <summary>Who may reference whom, as docs/architecture.md draws it.</summary>
public sealed class ProjectReferenceTests
{
    /// <summary>Direct references each project may have. A project that is not here must not exist under src.</summary>
    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["Model"] = [],
        ["Wire"] = ["Model"],
        ["ObjectStore"] = ["Model"],
        ["Storage"] = ["Model", "ObjectStore"],
        ["PromQL"] = ["Model"],
        ["Rules"] = ["PromQL"],
        ["Cluster"] = ["Storage", "PromQL", "Rules"],
        ["Grains"] = ["Cluster"],
        ["Gateway"] = ["Cluster", "Wire", "PromQL", "Rules"],
        ["Silo"] = ["Grains", "Gateway"],
    };

    public static TheoryData<string> SourceProjects => [.. Repository.ProjectsUnder("src").Select(p => Path.GetFileNameWithoutExtension(p)!)];

    [Theory]
    [MemberData(nameof(SourceProjects))]
    public void AProjectReferencesOnlyWhatLiesBelowIt(string project)
    {
        Assert.True(Allowed.TryGetValue(project, out var allowed), $"src/{project} has no place in the architecture");
        var references = Load(project).Descendants("ProjectReference")
            .Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value.Replace('\\', '/')));
        Assert.All(references, r => Assert.Contains(r, allowed));
    }

    [Theory]
    [MemberData(nameof(SourceProjects))]
    public void OnlyGrainsAndSiloKnowOrleans(string project)
    {
        if (project is "Grains" or "Silo")
        {
            return;
        }

        Assert.DoesNotContain(Packages(project), p => p.StartsWith("Microsoft.Orleans", StringComparison.Ordinal));
        foreach (var (path, text) in Repository.SourcesUnder($"src/{project}"))
        {
            Assert.False(text.Contains("using Orleans", StringComparison.Ordinal), $"{path} uses Orleans");
        }
    }

    [Theory]
    [MemberData(nameof(SourceProjects))]
    public void NothingBelowTheGatewayKnowsAspNet(string project)
    {
        if (project is "Gateway" or "Silo")
        {
            return;
        }

        var root = Load(project).Root!;
        Assert.NotEqual("Microsoft.NET.Sdk.Web", root.Attribute("Sdk")!.Value);
        Assert.Empty(root.Descendants("FrameworkReference"));
        Assert.DoesNotContain(Packages(project), p => p.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal));
    }

    [Fact]
    public void EveryProjectIsInTheSolution()
    {
        var solution = File.ReadAllText(Path.Combine(Repository.Root, "Metrics.sln")).Replace('\\', '/');
        foreach (var folder in new[] { "src", "tests", "bench" })
        {
            foreach (var project in Repository.ProjectsUnder(folder))
            {
                Assert.Contains(Path.GetRelativePath(Repository.Root, project).Replace('\\', '/'), solution, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void VersionsOfPackagesStandInOnePlace()
    {
        foreach (var project in new[] { "src", "tests", "bench" }.SelectMany(Repository.ProjectsUnder))
        {
            Assert.DoesNotContain(XDocument.Load(project).Descendants("PackageReference"), p => p.Attribute("Version") is not null);
        }
    }

    private static XDocument Load(string project) => XDocument.Load(Path.Combine(Repository.Root, "src", project, project + ".csproj"));

    private static IEnumerable<string> Packages(string project) => Load(project).Descendants("PackageReference").Select(p => p.Attribute("Include")!.Value);
}
