namespace Metrics.Gateway.Configuration;

/// <summary>Where the settings came from, so that what of them may change while the server runs can be read again.</summary>
/// <param name="File">The file of settings; null for none.</param>
/// <param name="Read">Reads file and flags anew; a <see cref="ConfigurationException"/> says what is not in order.</param>
internal sealed record ConfigurationSource(string? File, Func<GatewayOptions> Read);
