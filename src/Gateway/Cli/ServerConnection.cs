using System.CommandLine;
using System.Net.Http.Headers;
using System.Text;

namespace Metrics.Gateway.Cli;

/// <summary>How a command line names a server and says who asks it.</summary>
internal sealed class ServerConnection
{
    private readonly Option<string> url;
    private readonly Option<string?> tokenFile;
    private readonly Option<string?> user;
    private readonly Option<string?> passwordFile;

    /// <summary>Makes the options.</summary>
    /// <param name="name">The option that names the server, such as <c>--url</c>; the others are called after it unless it is that.</param>
    /// <param name="description">What the server is for.</param>
    /// <param name="byDefault">Its URL when not given; null when it must be given.</param>
    public ServerConnection(string name, string description, string? byDefault)
    {
        var prefix = name == "--url" ? "--" : name + "-";
        url = new Option<string>(name) { Description = description, HelpName = "URL", Required = byDefault is null };
        if (byDefault is not null)
        {
            url.DefaultValueFactory = _ => byDefault;
        }

        tokenFile = new Option<string?>(prefix + "bearer-token-file") { Description = "File with a bearer token to show it.", HelpName = "FILE" };
        user = new Option<string?>(prefix + "user") { Description = "User name to show it (Basic), with the password file.", HelpName = "NAME" };
        passwordFile = new Option<string?>(prefix + "password-file") { Description = "File with the password.", HelpName = "FILE" };
    }

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(url);
        command.Add(tokenFile);
        command.Add(user);
        command.Add(passwordFile);
    }

    /// <summary>A client for the server; its base address ends with a slash.</summary>
    /// <exception cref="Configuration.ConfigurationException">The URL is none, or user and password do not go together.</exception>
    /// <exception cref="IOException">A file can't be read.</exception>
    public HttpClient Open(ParseResult parsed)
    {
        var text = parsed.GetRequiredValue(url);
        if (!Uri.TryCreate(text.TrimEnd('/') + "/", UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
        {
            throw new Configuration.ConfigurationException($"{url.Name} {text}; allowed is a URL such as http://localhost:10902");
        }

        if (parsed.GetValue(user) is null != parsed.GetValue(passwordFile) is null)
        {
            throw new Configuration.ConfigurationException($"{user.Name} and {passwordFile.Name} go together");
        }

        var http = new HttpClient { BaseAddress = address, Timeout = Timeout.InfiniteTimeSpan };
        if (parsed.GetValue(tokenFile) is { } token)
        {
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", File.ReadAllText(token).Trim());
        }
        else if (parsed.GetValue(user) is { } name)
        {
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{name}:{File.ReadAllText(parsed.GetValue(passwordFile)!).Trim()}")));
        }

        return http;
    }
}
