using Metrics.Model;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.PromQL;

/// <summary>The answer to a query.</summary>
/// <remarks>Dispose gives pooled columns back; write the answer out first.</remarks>
public sealed class QueryResult : IDisposable
{
    /// <summary>The type of the answer: scalar, string, vector or matrix.</summary>
    public required ValueType Type { get; init; }

    /// <summary>The series of a vector (one point each) or matrix, in the order of the answer; for a scalar one series without labels.</summary>
    public required IReadOnlyList<ResultSeries> Series { get; init; }

    /// <summary>The value of a string result.</summary>
    public string? Text { get; init; }

    /// <summary>The instant of a scalar, string or vector answer.</summary>
    public long TimeMs { get; init; }

    /// <summary>Warnings, as the HTTP API shows them, in order.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Infos, as the HTTP API shows them, in order.</summary>
    public IReadOnlyList<string> Infos { get; init; } = [];

    /// <summary>What the query cost.</summary>
    public QueryStatistics Statistics { get; init; } = new();

    /// <summary>What each operator took; null unless <see cref="QueryRequest.Analyze"/>.</summary>
    public OperatorReport? Analysis { get; init; }

    /// <summary>About how many bytes it holds.</summary>
    public long EstimatedBytes
    {
        get
        {
            var bytes = 0L;
            foreach (var series in Series)
            {
                bytes += MemoryLease.SeriesBytes + ((long)series.Points.Count * MemoryLease.SampleBytes);
            }

            return bytes;
        }
    }

    /// <summary>What the answer is counted as among the memory of queries; given back with it. Null when it is not counted.</summary>
    public MemoryLease? Memory { get; init; }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var series in Series)
        {
            series.Points.Dispose();
        }

        Memory?.Dispose();
    }
}

/// <summary>One series of an answer: labels and points in ascending time.</summary>
public readonly record struct ResultSeries(Labels Labels, SampleBuffer Points);

/// <summary>What a query cost.</summary>
public sealed class QueryStatistics
{
    /// <summary>Samples that were looked at, summed over steps as Prometheus counts them.</summary>
    public long TotalQueryableSamples { get; set; }

    /// <summary>Those of them that were read: a sample that windows of several steps share counts once. What came out of the results cache does not count.</summary>
    public long SamplesRead { get; set; }

    /// <summary><see cref="TotalQueryableSamples"/> of each step; null unless <see cref="QueryRequest.PerStepStatistics"/>.</summary>
    public IReadOnlyList<long>? TotalQueryableSamplesPerStep { get; set; }

    /// <summary><see cref="SamplesRead"/> for each step; null unless <see cref="QueryRequest.PerStepStatistics"/>.</summary>
    public IReadOnlyList<long>? SamplesReadPerStep { get; set; }

    /// <summary>The most samples held at once.</summary>
    public long PeakSamples { get; set; }

    /// <summary>Series that selectors found, each selector's counted.</summary>
    public long FetchedSeries { get; set; }

    /// <summary>Bytes of chunks read; samples in no chunk as they are in memory, 16 for a float.</summary>
    public long FetchedBytes { get; set; }

    /// <summary>Chunks read, each as often as a selector wanted it.</summary>
    public long FetchedChunks { get; set; }

    /// <summary>Time until the series to evaluate were known: planning, selecting, and what shards took for it side by side.</summary>
    public TimeSpan Preparation { get; set; }

    /// <summary>Time to bring the result into order.</summary>
    public TimeSpan Sorting { get; set; }

    /// <summary>Adds what another part of the same query cost, which ran before or after it. What is told by steps is left alone.</summary>
    public void Add(QueryStatistics part)
    {
        TotalQueryableSamples += part.TotalQueryableSamples;
        SamplesRead += part.SamplesRead;
        FetchedSeries += part.FetchedSeries;
        FetchedBytes += part.FetchedBytes;
        FetchedChunks += part.FetchedChunks;
        PeakSamples = Math.Max(PeakSamples, part.PeakSamples);
        Preparation += part.Preparation;
        Sorting += part.Sorting;
    }
}
