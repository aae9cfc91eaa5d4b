namespace Metrics.Gateway.Configuration;

/// <summary>A part of the configuration that can be read again while the server runs.</summary>
/// <param name="Name">What logs and metrics call it.</param>
/// <param name="Files">The files it comes from, for the watch; they may differ after each reload.</param>
/// <param name="ReloadAsync">Takes what the files say now. On a <see cref="ConfigurationException"/>, or when storage fails, what was in force still is.</param>
internal sealed record ReloadPart(string Name, Func<IReadOnlyList<string>> Files, Func<CancellationToken, Task> ReloadAsync);
