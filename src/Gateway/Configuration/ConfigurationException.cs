namespace Metrics.Gateway.Configuration;

/// <summary>A configuration that cannot be used; the message names the key, the value and what is allowed.</summary>
public sealed class ConfigurationException(string message) : Exception(message);
