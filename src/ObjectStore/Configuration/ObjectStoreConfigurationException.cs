namespace Metrics.ObjectStore;

/// <summary>A configuration of object storage that can't be used. The message names the source and the line, and holds no secret.</summary>
public sealed class ObjectStoreConfigurationException(string message, Exception? cause = null) : Exception(message, cause);
