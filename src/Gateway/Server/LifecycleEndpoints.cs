using Metrics.Gateway.Configuration;

namespace Metrics.Gateway.Server;

/// <summary><c>/-/reload</c>, as Prometheus has it.</summary>
internal sealed class LifecycleEndpoints(ConfigurationReload reload, bool enabled)
{
    private static readonly string[] postPut = ["POST", "PUT"];

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes => [new(postPut, "/-/reload", "reload", ReloadAsync)];

    private async Task ReloadAsync(HttpContext context)
    {
        if (!enabled)
        {
            await PlainText.AnswerAsync(context, StatusCodes.Status403Forbidden, "Lifecycle API is not enabled.\n");
            return;
        }

        try
        {
            await reload.ReloadAsync(context.RequestAborted);
            await PlainText.AnswerAsync(context, StatusCodes.Status200OK, "");
        }
        catch (ConfigurationException e)
        {
            await PlainText.AnswerAsync(context, StatusCodes.Status500InternalServerError, $"failed to reload config: {e.Message}\n");
        }
    }
}
