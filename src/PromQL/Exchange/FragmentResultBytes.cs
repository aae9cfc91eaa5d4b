using Metrics.Model;
using Metrics.PromQL.Aggregates;
using Metrics.PromQL.Execution;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL;

/// <summary>The answer to a fragment as bytes, bit for bit.</summary>
/// <remarks>
/// <code>
///   series        count, then labels (block) and drop-name u8 each
///   annotations   count, then warning u8, message, position (start, end) each
///   statistics    samples looked at, peak, series, bytes and chunks fetched, samples read, ticks of preparation; looked at and read by steps: count (0 for not asked), then each
///   operators     count (0 for not asked), then ticks, series and samples of each node of the fragment's plan, parents first
///   kind u8       0 nothing | 1 batches | 2 states | 3 matrix
///   batches       count, then each: rows, steps, histograms u8; per row presence words, then the results there are, in order of steps: 8 bytes each,
///                 and with histograms a byte before each that says which it is
///   states        steps, columns of numbers, histograms u8, compensations u8; columns, 8 bytes a cell; flags, 1 byte a cell; histograms: 0, or 1 and the histogram, a cell
///   matrix        samples (<see cref="SampleBytes"/>) of each series
/// </code>
/// Only what is a result is written: what a pooled column holds beside it is somebody else's.
/// </remarks>
public static class FragmentResultBytes
{
    private const int MaxNumberColumns = 16;

    private enum Kind : byte
    {
        Nothing,
        Batches,
        States,
        Matrix,
    }

    /// <summary>Writes a result, which stays the caller's.</summary>
    public static void Write(ByteWriter to, FragmentResult result)
    {
        to.UVarint((ulong)result.Series.Count);
        foreach (var header in result.Series)
        {
            to.Block(header.Labels.Encoded);
            to.Bool(header.DropName);
        }

        to.UVarint((ulong)result.Annotations.Count);
        foreach (var annotation in result.Annotations)
        {
            to.Bool(annotation.IsWarning);
            to.Text(annotation.Message);
            to.SVarint(annotation.Position.Start);
            to.SVarint(annotation.Position.End);
        }

        to.SVarint(result.Statistics.TotalQueryableSamples);
        to.SVarint(result.Statistics.PeakSamples);
        to.SVarint(result.Statistics.FetchedSeries);
        to.SVarint(result.Statistics.FetchedBytes);
        to.SVarint(result.Statistics.FetchedChunks);
        to.SVarint(result.Statistics.SamplesRead);
        to.SVarint(result.Statistics.Preparation.Ticks);
        WriteSteps(to, result.Statistics.TotalQueryableSamplesPerStep);
        WriteSteps(to, result.Statistics.SamplesReadPerStep);
        WriteSteps(to, result.Meters);
        if (result.States is { } states)
        {
            to.Byte((byte)Kind.States);
            WriteStates(to, states);
        }
        else if (result.Matrix is { } matrix)
        {
            to.Byte((byte)Kind.Matrix);
            foreach (var samples in matrix)
            {
                SampleBytes.Write(to, samples);
            }
        }
        else
        {
            to.Byte((byte)(result.Batches.Count > 0 ? Kind.Batches : Kind.Nothing));
            WriteBatches(to, result.Batches);
        }
    }

    private static void WriteSteps(ByteWriter to, IReadOnlyList<long>? steps)
    {
        to.UVarint((ulong)(steps?.Count ?? 0));
        foreach (var samples in steps ?? [])
        {
            to.SVarint(samples);
        }
    }

    private static long[]? ReadSteps(ref ByteReader from)
    {
        var steps = new long[from.Count(1)];
        for (var step = 0; step < steps.Length; step++)
        {
            steps[step] = from.SVarint();
        }

        return steps.Length == 0 ? null : steps;
    }

    /// <summary>Reads a result; the caller disposes it.</summary>
    /// <exception cref="InvalidDataException">The bytes are none.</exception>
    public static FragmentResult Read(ref ByteReader from)
    {
        var series = new SeriesHeader[from.Count(2)];
        for (var i = 0; i < series.Length; i++)
        {
            series[i] = new SeriesHeader(from.Labels(), from.Bool());
        }

        var annotations = new Annotation[from.Count(4)];
        for (var i = 0; i < annotations.Length; i++)
        {
            annotations[i] = new Annotation(from.Bool(), from.Text(), new PositionRange(from.Int32(), from.Int32()));
        }

        var statistics = new QueryStatistics { TotalQueryableSamples = from.SVarint(), PeakSamples = from.SVarint(), FetchedSeries = from.SVarint(), FetchedBytes = from.SVarint(), FetchedChunks = from.SVarint(), SamplesRead = from.SVarint(), Preparation = new TimeSpan(from.SVarint()) };
        statistics.TotalQueryableSamplesPerStep = ReadSteps(ref from);
        statistics.SamplesReadPerStep = ReadSteps(ref from);
        var meters = ReadSteps(ref from);
        var kind = (Kind)from.Byte();
        return new FragmentResult
        {
            Series = series,
            Annotations = annotations,
            Statistics = statistics,
            Meters = meters,
            Batches = kind == Kind.Batches ? ReadBatches(ref from, series.Length) : [],
            States = kind == Kind.States ? ReadStates(ref from, series.Length) : null,
            Matrix = kind == Kind.Matrix ? ReadMatrix(ref from, series.Length) : kind <= Kind.Matrix ? null : throw new InvalidDataException($"a result of kind {(byte)kind}"),
        };
    }

    private static void WriteBatches(ByteWriter to, IReadOnlyList<StepBatch> batches)
    {
        if (batches.Count == 0)
        {
            return;
        }

        to.UVarint((ulong)batches.Count);
        foreach (var batch in batches)
        {
            to.UVarint((ulong)batch.Series);
            to.UVarint((ulong)batch.Steps);
            to.Bool(batch.HasHistograms);
            for (var row = 0; row < batch.Series; row++)
            {
                WriteRow(to, batch, row);
            }
        }
    }

    private static void WriteRow(ByteWriter to, StepBatch batch, int row)
    {
        var presence = batch.PresenceOf(row);
        var count = 0;
        foreach (var word in presence)
        {
            to.UInt64(word);
            count += System.Numerics.BitOperations.PopCount(word);
        }

        var values = batch.ValuesOf(row);
        if (count == batch.Steps && !batch.HasHistograms)
        {
            to.Doubles(values);
            return;
        }

        var histograms = batch.HistogramsOf(row);
        for (var word = 0; word < presence.Length; word++)
        {
            for (var left = presence[word]; left != 0; left &= left - 1)
            {
                var step = (word * 64) + System.Numerics.BitOperations.TrailingZeroCount(left);
                if (histograms.IsEmpty)
                {
                    to.Double(values[step]);
                }
                else if (!WriteCell(to, histograms[step]))
                {
                    to.Double(values[step]);
                }
            }
        }
    }

    private static bool WriteCell(ByteWriter to, FloatHistogram? histogram)
    {
        to.Bool(histogram is not null);
        if (histogram is not null)
        {
            HistogramBytes.Write(to, histogram);
        }

        return histogram is not null;
    }

    private static List<StepBatch> ReadBatches(ref ByteReader from, int series)
    {
        var batches = new List<StepBatch>();
        try
        {
            var rows = 0L;
            for (var left = from.Count(3); left > 0; left--)
            {
                var batch = ReadBatch(ref from);
                batches.Add(batch);
                rows += batch.Series;
            }

            return rows == series ? batches : throw new InvalidDataException($"{rows} rows for {series} series");
        }
        catch
        {
            batches.ForEach(b => b.Dispose());
            throw;
        }
    }

    private static StepBatch ReadBatch(ref ByteReader from)
    {
        var rows = from.UpTo(int.MaxValue);
        var steps = from.UpTo(FragmentBytes.MaxSteps);
        var hasHistograms = from.Bool();
        var words = (steps + 63) / 64;

        // A row takes its presence words at least: 8 bytes for 64 steps of 8 bytes each is how much more than its bytes a batch may take.
        if (steps == 0 || (long)rows * words * sizeof(ulong) > from.Remaining || (long)rows * steps > Array.MaxLength)
        {
            throw new InvalidDataException($"{rows} rows of {steps} steps can't lie in {from.Remaining} bytes");
        }

        var batch = new StepBatch(rows, steps);
        try
        {
            for (var row = 0; row < rows; row++)
            {
                ReadRow(ref from, batch, row, hasHistograms);
            }

            return batch;
        }
        catch
        {
            batch.Dispose();
            throw;
        }
    }

    private static void ReadRow(ref ByteReader from, StepBatch batch, int row, bool hasHistograms)
    {
        var presence = batch.PresenceOf(row);
        var count = 0;
        for (var word = 0; word < presence.Length; word++)
        {
            presence[word] = from.UInt64();
            count += System.Numerics.BitOperations.PopCount(presence[word]);
        }

        if ((batch.Steps & 63) != 0 && presence[^1] >> (batch.Steps & 63) != 0)
        {
            throw new InvalidDataException("a row has results after its last step");
        }

        var values = batch.ValuesOf(row);
        if (count == batch.Steps && !hasHistograms)
        {
            from.Doubles(values);
            return;
        }

        for (var word = 0; word < presence.Length; word++)
        {
            for (var left = presence[word]; left != 0; left &= left - 1)
            {
                var step = (word * 64) + System.Numerics.BitOperations.TrailingZeroCount(left);
                if (hasHistograms && from.Bool())
                {
                    batch.Row(row).Set(step, HistogramBytes.Read(ref from));
                }
                else
                {
                    values[step] = from.Double();
                }
            }
        }
    }

    private static void WriteStates(ByteWriter to, StateColumns states)
    {
        to.UVarint((ulong)states.Steps);
        to.UVarint((ulong)states.NumberColumns);
        to.Bool(states.HasHistograms);
        to.Bool(states.HasCompensations);
        for (var group = 0; group < states.Groups; group++)
        {
            for (var column = 0; column < states.NumberColumns; column++)
            {
                to.Doubles(states.Numbers(column, group));
            }

            to.Raw(states.Flags(group));
            WriteCells(to, states.HasHistograms ? states.Histograms(group) : default);
            WriteCells(to, states.HasCompensations ? states.Compensations(group) : default);
        }
    }

    private static void WriteCells(ByteWriter to, ReadOnlySpan<FloatHistogram?> cells)
    {
        foreach (var histogram in cells)
        {
            WriteCell(to, histogram);
        }
    }

    private static StateColumns ReadStates(ref ByteReader from, int groups)
    {
        var steps = from.UpTo(FragmentBytes.MaxSteps);
        var columns = from.UpTo(MaxNumberColumns);
        var (hasHistograms, hasCompensations) = (from.Bool(), from.Bool());
        if ((long)groups * steps * ((columns * sizeof(double)) + 1) > from.Remaining)
        {
            throw new InvalidDataException($"{groups} groups of {steps} steps can't lie in {from.Remaining} bytes");
        }

        var states = new StateColumns(groups, steps, columns);
        try
        {
            for (var group = 0; group < groups; group++)
            {
                for (var column = 0; column < columns; column++)
                {
                    from.Doubles(states.Numbers(column, group));
                }

                from.Raw(steps).CopyTo(states.Flags(group));
                ReadCells(ref from, hasHistograms ? states.Histograms(group) : default);
                ReadCells(ref from, hasCompensations ? states.Compensations(group) : default);
            }

            return states;
        }
        catch
        {
            states.Dispose();
            throw;
        }
    }

    private static void ReadCells(ref ByteReader from, Span<FloatHistogram?> cells)
    {
        for (var i = 0; i < cells.Length; i++)
        {
            cells[i] = from.Bool() ? HistogramBytes.Read(ref from) : null;
        }
    }

    private static SampleBuffer[] ReadMatrix(ref ByteReader from, int series)
    {
        var matrix = new SampleBuffer[series];
        var read = 0;
        try
        {
            for (; read < series; read++)
            {
                // Each of its own size: a buffer's default is far more than most need.
                matrix[read] = new SampleBuffer(capacity: 1);
                SampleBytes.Read(ref from, matrix[read]);
            }

            return matrix;
        }
        catch
        {
            foreach (var samples in matrix)
            {
                samples?.Dispose();
            }

            throw;
        }
    }
}
