using System.CommandLine;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Security;

namespace Metrics.Gateway.Cli;

/// <summary><c>hash-password</c>: what <c>security.auth_file</c> keeps of a password.</summary>
internal static class HashPasswordCommand
{
    /// <summary>Builds the command. The password is read, not given: arguments are seen by every user of a machine.</summary>
    public static Command Build(TextReader input, TextWriter output)
    {
        var command = new Command("hash-password", "Reads a password from standard input, up to the end of the line, and writes its hash for security.auth_file.");
        command.SetAction(async (_, stop) =>
        {
            var password = await input.ReadLineAsync(stop);
            if (string.IsNullOrEmpty(password))
            {
                throw new ConfigurationException("hash-password: no password came on standard input");
            }

            await output.WriteLineAsync(PasswordHash.Of(password).ToString());
            return ExitCode.Ok;
        });
        return command;
    }
}
