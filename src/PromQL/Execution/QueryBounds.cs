namespace Metrics.PromQL;

/// <summary>What one query may read, beside what the engine's options bound for all. 0 is no bound.</summary>
/// <param name="MaxSeries">Series that its selectors may find, each selector's counted.</param>
/// <param name="MaxBytes">Bytes of chunks that may be read for it; samples in no chunk count as they are in memory, 16 for a float.</param>
/// <param name="MaxSamples">Samples that it may hold at once; only when smaller than the engine's bound.</param>
/// <param name="Whose">Whose bounds these are, for messages; e.g. <c>tenant a</c>.</param>
public sealed record QueryBounds(long MaxSeries = 0, long MaxBytes = 0, long MaxSamples = 0, string Whose = "")
{
    /// <summary>No bounds.</summary>
    public static QueryBounds None { get; } = new();

    /// <summary>Chunks that may be read for it; 0 is no bound.</summary>
    public long MaxChunks { get; init; }

    /// <summary>Bytes that it may hold at once, as they are estimated (<see cref="QueryMemory"/>); 0 is no bound.</summary>
    public long MaxMemory { get; init; }

    /// <summary>The samples that may be held at once, under an engine's bound.</summary>
    public long SamplesUnder(long engineMax) => MaxSamples > 0 ? Math.Min(MaxSamples, engineMax) : engineMax;

    /// <summary>What a query fails with that would hold more samples than it may: in Prometheus's words, then the limit.</summary>
    /// <param name="maxSamples">The bound that was exceeded: these, or an engine's when that is smaller.</param>
    public QueryException TooManySamples(long maxSamples) => new(
        QueryErrorKind.Execution,
        $"query processing would load too many samples into memory in query execution: {(MaxSamples > 0 && MaxSamples <= maxSamples ? $"limit max_samples_per_query of {MaxSamples} of {Whose}" : $"limit query.max_samples of {maxSamples}")}");

    /// <summary>True when parts of a query may have read more together than it may: what they share is counted for each.</summary>
    public bool MayExceed(IEnumerable<QueryStatistics> parts)
    {
        var sum = new QueryStatistics();
        foreach (var part in parts)
        {
            sum.Add(part);
        }

        return (MaxSeries > 0 && sum.FetchedSeries > MaxSeries) || (MaxBytes > 0 && sum.FetchedBytes > MaxBytes) || (MaxChunks > 0 && sum.FetchedChunks > MaxChunks);
    }

    /// <summary>Checks the series found.</summary>
    /// <exception cref="QueryException">There are too many.</exception>
    public void CheckSeries(long found)
    {
        if (MaxSeries > 0 && found > MaxSeries)
        {
            throw new QueryException(
                QueryErrorKind.Execution, $"the query reads more series than the limit max_fetched_series_per_query of {MaxSeries} of {Whose} (err-mimir-max-series-per-query): narrow its selectors or its time");
        }
    }

    /// <summary>Checks the bytes held.</summary>
    /// <exception cref="QueryException">There are too many.</exception>
    internal void CheckMemory(long held)
    {
        if (MaxMemory > 0 && held > MaxMemory)
        {
            throw new QueryException(
                QueryErrorKind.Execution,
                $"the query holds more memory than the limit max_estimated_memory_consumption_per_query of {MaxMemory} bytes of {Whose} (err-mimir-max-estimated-memory-consumption-per-query): narrow its selectors or its time, or take a larger step");
        }
    }

    /// <summary>Checks the chunks read.</summary>
    /// <exception cref="QueryException">There are too many.</exception>
    public void CheckChunks(long read)
    {
        if (MaxChunks > 0 && read > MaxChunks)
        {
            throw new QueryException(
                QueryErrorKind.Execution, $"the query reads more chunks than the limit max_fetched_chunks_per_query of {MaxChunks} of {Whose} (err-mimir-max-chunks-per-query): narrow its selectors or its time");
        }
    }

    /// <summary>Checks the bytes read.</summary>
    /// <exception cref="QueryException">There are too many.</exception>
    public void CheckBytes(long read)
    {
        if (MaxBytes > 0 && read > MaxBytes)
        {
            throw new QueryException(
                QueryErrorKind.Execution, $"the query reads more bytes than the limit max_fetched_chunk_bytes_per_query of {MaxBytes} of {Whose} (err-mimir-max-chunks-bytes-per-query): narrow its selectors or its time");
        }
    }
}
