using Metrics.Gateway.Cli;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Security;
using Xunit;
using YamlDotNet.RepresentationModel;

namespace Metrics.Gateway.Tests;

/// <summary>The manifests of Kubernetes and docker-compose against the program: its flags, ports, probes, and what they name of each other.</summary>
public sealed class ManifestTests
{
    private static readonly string root = Root();

    [Fact]
    public async Task EveryContainerIsStartedAndProbedAsTheProgramIs()
    {
        await using var app = await GatewayApp.StartAsync();
        var containers = Objects("k8s/silos.yaml", "k8s/gateways.yaml").Where(static o => Text(o, "kind") is "StatefulSet" or "Deployment").ToList();
        Assert.Equal(2, containers.Count);
        foreach (var owner in containers)
        {
            var pod = At(owner, "spec", "template", "spec");
            var container = Assert.Single(Items(At(pod, "containers")));
            var options = Options(Items(At(container, "args")));
            var ports = Items(At(container, "ports")).ToDictionary(static p => Text(p, "name"), static p => int.Parse(Text(p, "containerPort")));
            Assert.Equal(OptionsValidator.ParseListen(options.Http.Listen, "http.listen").Port, ports["http"]);
            Assert.Equal(OptionsValidator.ParseListen(options.Cluster.Listen, "cluster.listen").Port, ports["silo"]);
            foreach (var probe in new[] { "startupProbe", "readinessProbe", "livenessProbe" }.Select(p => Find(container, p)).OfType<YamlNode>())
            {
                Assert.Equal(200, (int)(await app.GetAsync(Text(At(probe, "httpGet"), "path"))).Status);
                Assert.Contains(Text(At(probe, "httpGet"), "port"), ports.Keys);
            }

            // What it is told to read is mounted, and what it writes to is a volume or nothing that has to last.
            var mounts = Items(At(container, "volumeMounts")).ToDictionary(static m => Text(m, "mountPath"), static m => Text(m, "name"));
            Assert.Contains(Path.GetDirectoryName(options.Archive.ObjstoreConfigFile)!, mounts.Keys);
            Assert.True(options.Cluster.Role == SiloRole.Gateway || mounts.ContainsKey(options.Storage.DataDir), $"nothing is mounted at {options.Storage.DataDir}");
            var drain = options.Cluster.Role == SiloRole.Gateway ? TimeSpan.Zero : options.Cluster.DrainTimeout;
            Assert.True(int.Parse(Text(pod, "terminationGracePeriodSeconds")) >= (drain + options.Http.ShutdownTimeout).TotalSeconds);
        }
    }

    [Fact]
    public void ServicesPoliciesAndKustomizationsNameWhatThereIs()
    {
        var all = Objects("k8s/namespace.yaml", "k8s/objstore.yaml", "k8s/silos.yaml", "k8s/gateways.yaml", "k8s/token-review/rbac.yaml", "k8s/token-review/auth.yaml").ToList();
        var pods = all.Where(static o => Text(o, "kind") is "StatefulSet" or "Deployment").Select(static o => At(o, "spec", "template")).ToList();
        foreach (var selecting in all.Where(static o => Text(o, "kind") is "Service" or "PodDisruptionBudget" or "StatefulSet" or "Deployment"))
        {
            var selector = At(selecting, "spec", "selector");
            var wanted = Pairs(Find(selector, "matchLabels") ?? selector);
            Assert.Contains(pods, pod => wanted.All(Pairs(At(pod, "metadata", "labels")).Contains));
        }

        var exposed = pods.SelectMany(static p => Items(At(Items(At(p, "spec", "containers")).First(), "ports"))).Select(static p => Text(p, "containerPort")).ToHashSet(StringComparer.Ordinal);
        Assert.All(all.Where(static o => Text(o, "kind") == "Service").SelectMany(static s => Items(At(s, "spec", "ports"))), p => Assert.Contains(Text(p, "port"), exposed));
        var secrets = all.Where(static o => Text(o, "kind") == "Secret").Select(static o => Text(At(o, "metadata"), "name")).ToHashSet(StringComparer.Ordinal);
        var patch = Objects("k8s/token-review/gateways.yaml").Single();
        foreach (var volume in pods.Append(At(patch, "spec", "template")).SelectMany(static p => Items(At(p, "spec", "volumes"))))
        {
            Assert.Contains(Text(At(volume, "secret"), "secretName"), secrets);
        }

        foreach (var folder in new[] { "k8s", "k8s/token-review" })
        {
            var kustomization = Objects($"{folder}/kustomization.yaml").Single();
            var files = Items(At(kustomization, "resources")).Select(static r => r.ToString()).Concat(Find(kustomization, "patches") is { } patches ? Items(patches).Select(static p => Text(p, "path")) : []);
            Assert.All(files, f => Assert.True(Path.Exists(Path.Combine(root, folder, f)), $"{folder}/{f}"));
        }
    }

    [Fact]
    public void TokenReviewIsSwitchedOnAndAllowedForWhoAsks()
    {
        var args = Items(At(Objects("k8s/gateways.yaml").Single(static o => Text(o, "kind") == "Deployment"), "spec", "template", "spec", "containers")).Select(static c => At(c, "args")).SelectMany(Items).Select(static a => a.ToString()).ToList();
        var patch = At(Objects("k8s/token-review/gateways.yaml").Single(), "spec", "template", "spec");
        var container = Items(At(patch, "containers")).Single();
        Assert.Equal(args, Items(At(container, "args")).Select(static a => a.ToString()).Take(args.Count));
        var options = Options(Items(At(container, "args")));
        Assert.Equal(Path.GetDirectoryName(options.Security.AuthFile), Text(Items(At(container, "volumeMounts")).Single(), "mountPath"));

        var rbac = Objects("k8s/token-review/rbac.yaml").ToList();
        var binding = rbac.Single(static o => Text(o, "kind") == "ClusterRoleBinding");
        Assert.Equal(("ClusterRole", "system:auth-delegator"), (Text(At(binding, "roleRef"), "kind"), Text(At(binding, "roleRef"), "name")));
        var subject = Items(At(binding, "subjects")).Single();
        Assert.Equal(Text(patch, "serviceAccountName"), Text(subject, "name"));
        Assert.Equal(Text(Objects("k8s/kustomization.yaml").Single(), "namespace"), Text(subject, "namespace"));
        Assert.Contains("# components: [token-review]", File.ReadAllText(Path.Combine(root, "k8s", "kustomization.yaml")), StringComparison.Ordinal);
        Assert.Contains(rbac, o => Text(o, "kind") == "ServiceAccount" && Text(At(o, "metadata"), "name") == Text(subject, "name"));

        // The program reads what the secret holds; where there is no pod, its own token is another file.
        var folder = Directory.CreateTempSubdirectory("manifest").FullName;
        File.WriteAllText(Path.Combine(folder, "token"), "token");
        var file = Path.Combine(folder, "auth.yml");
        var text = Text(At(Objects("k8s/token-review/auth.yaml").Single(), "stringData"), Path.GetFileName(options.Security.AuthFile));
        File.WriteAllText(file, text.Replace("token_review:", $"token_review:\n  url: http://localhost\n  token_file: {folder}/token", StringComparison.Ordinal));
        Assert.Equal(["metrics"], AuthFile.Read(file).TokenReview!.Audiences);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void ComposeStartsTheProgramWithFlagsThatItHas()
    {
        var compose = Objects("docker-compose.yml").Single();
        var options = Options(Items(At(compose, "x-silo", "command")));
        Assert.All(Pairs(At(compose, "services")).Where(static s => s.Key.StartsWith("silo", StringComparison.Ordinal)), service =>
        {
            Assert.EndsWith($":{OptionsValidator.ParseListen(options.Http.Listen, "http.listen").Port}", Items(At(compose, "services", service.Key, "ports")).Single().ToString());
            Assert.Contains(Items(At(compose, "services", service.Key, "volumes")), v => v.ToString().EndsWith($":{options.Storage.DataDir}", StringComparison.Ordinal));
            Assert.Contains(Items(At(compose, "services", service.Key, "volumes")), v => v.ToString().Split(':')[1] == options.Archive.ObjstoreConfigFile && Path.Exists(Path.Combine(root, v.ToString().Split(':')[0])));
        });
    }

    /// <summary>What the program makes of its arguments.</summary>
    private static GatewayOptions Options(IEnumerable<YamlNode> args)
    {
        var texts = args.Select(static a => a.ToString()).ToList();
        Assert.Equal(["silo/metrics-silo.dll", "serve"], texts.Take(2));
        return ServeCommand.ReadOptions(null, texts.Skip(2).Select(static text =>
        {
            var (flag, value) = (text[..text.IndexOf('=', StringComparison.Ordinal)], text[(text.IndexOf('=', StringComparison.Ordinal) + 1)..]);
            return (SettingCatalog.All.Single(s => s.Flag == flag), new[] { value.Replace("$(POD_IP)", "10.0.0.1", StringComparison.Ordinal) });
        }));
    }

    private static IEnumerable<YamlNode> Objects(params string[] files)
    {
        foreach (var file in files)
        {
            var stream = new YamlStream();
            using var reader = File.OpenText(Path.Combine(root, file));
            stream.Load(reader);
            foreach (var document in stream.Documents)
            {
                yield return document.RootNode;
            }
        }
    }

    private static YamlNode? Find(YamlNode node, string key) => ((YamlMappingNode)node).Children.TryGetValue(key, out var value) ? value : null;

    private static YamlNode At(YamlNode node, params string[] path) => path.Aggregate(node, static (at, key) => Find(at, key) ?? throw new KeyNotFoundException($"no {key} in {at}"));

    private static string Text(YamlNode node, string key) => ((YamlScalarNode)At(node, key)).Value!;

    private static IEnumerable<YamlNode> Items(YamlNode node) => ((YamlSequenceNode)node).Children;

    private static Dictionary<string, string> Pairs(YamlNode node) => ((YamlMappingNode)node).Children.ToDictionary(static p => p.Key.ToString(), static p => p.Value.ToString());

    private static string Root()
    {
        var at = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(at, "Metrics.sln")))
        {
            at = Path.GetDirectoryName(at)!;
        }

        return at;
    }
}
