namespace Metrics.Gateway.Security;

/// <summary>Who calls can't be found out now, because whoever knows does not answer. HTTP 503: the caller may come again.</summary>
internal sealed class AuthenticationUnavailableException(string reason) : Exception($"who calls can't be found out now: {reason}");
