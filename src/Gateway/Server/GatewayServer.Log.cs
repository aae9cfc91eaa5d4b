namespace Metrics.Gateway.Server;

internal sealed partial class GatewayServer
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "ANYONE WHO REACHES {Listen} MAY READ, CHANGE AND DELETE THE DATA OF EVERY TENANT: set security.auth_file, or let only something that asks who is calling reach it")]
    private static partial void LogOpenToAll(ILogger logger, string listen);

    [LoggerMessage(Level = LogLevel.Warning, Message = "passwords and tokens come to {Listen} in the clear: set security.cert_file, or let only something with TLS reach it")]
    private static partial void LogInTheClear(ILogger logger, string listen);
}
