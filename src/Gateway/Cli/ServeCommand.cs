using System.CommandLine;
using Metrics.Gateway.Configuration;

namespace Metrics.Gateway.Cli;

/// <summary><c>serve</c>: the single process. Every setting is a flag; flags override the file.</summary>
internal static class ServeCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Build(ClusterOpener open, TextWriter output)
    {
        var defaults = new GatewayOptions();
        var file = new Option<string?>("--config-file") { Description = "YAML file of settings; see docs/configuration.md.", HelpName = "FILE" };
        var command = new Command("serve", "Takes remote writes and answers PromQL, with all data in one folder.") { file };
        var flags = new List<(Setting Setting, Option<string[]> Flag)>();
        foreach (var setting in SettingCatalog.All)
        {
            var flag = new Option<string[]>(setting.Flag)
            {
                Description = $"{setting.Summary} [{setting.Allowed}; default: {setting.Show(defaults)}]",
                HelpName = setting.Name.ToUpperInvariant(),
                Arity = ArgumentArity.OneOrMore,
            };
            flags.Add((setting, flag));
            command.Add(flag);
        }

        command.SetAction((parsed, stop) =>
        {
            var given = flags.Select(f => (f.Setting, Texts: parsed.GetValue(f.Flag) ?? [])).Where(f => f.Texts.Length > 0).ToList();
            var path = parsed.GetValue(file);
            return ServeProcess.RunAsync(new ConfigurationSource(path, () => ReadOptions(path, given)), open, output, stop);
        });
        return command;
    }

    /// <summary>The options in force: defaults, then the file, then flags; checked.</summary>
    /// <exception cref="ConfigurationException">Something is not allowed.</exception>
    internal static GatewayOptions ReadOptions(string? file, IEnumerable<(Setting Setting, string[] Texts)> flags)
    {
        var options = new GatewayOptions();
        if (file is not null)
        {
            ConfigurationFile.Apply(file, options);
        }

        foreach (var (setting, texts) in flags)
        {
            setting.Set(options, texts, setting.Flag);
        }

        OptionsValidator.Validate(options);
        return options;
    }
}
