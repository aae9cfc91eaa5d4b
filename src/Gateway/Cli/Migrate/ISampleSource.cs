using Metrics.Gateway.Cli.Tsdb;
using Metrics.Model;

namespace Metrics.Gateway.Cli.Migrate;

/// <summary>A server that gives the samples it has away.</summary>
internal interface ISampleSource
{
    /// <summary>Collects the samples of matching series in a range, both ends inclusive.</summary>
    /// <exception cref="IOException">The server can't be reached, refuses, or answers what can't be read.</exception>
    Task ReadAsync(string selector, TimeRange range, SeriesCollection into, CancellationToken cancellation);
}
