using System.Buffers.Binary;
using Metrics.Model;

namespace Metrics.Storage.Tests;

/// <summary>Small blocks of known contents for tests.</summary>
internal static class TestBlocks
{
    /// <summary>A float chunk, encoded the plainest way the format allows: every difference at full width.</summary>
    public static BlockChunk Xor(params (long Time, double Value)[] samples)
    {
        var bits = new List<bool>();
        void Put(ulong value, int count)
        {
            for (var i = count - 1; i >= 0; i--)
            {
                bits.Add((value >> i & 1) != 0);
            }
        }

        void PutVarint(ulong value)
        {
            Span<byte> varint = stackalloc byte[Varint.MaxBytes];
            foreach (var b in varint[..Varint.Write(varint, value)])
            {
                Put(b, 8);
            }
        }

        long delta = 0;
        for (var i = 0; i < samples.Length; i++)
        {
            var (time, value) = samples[i];
            var raw = BitConverter.DoubleToUInt64Bits(value);
            if (i == 0)
            {
                PutVarint((ulong)(time << 1) ^ (ulong)(time >> 63));
                Put(raw, 64);
                continue;
            }

            var step = time - samples[i - 1].Time;
            if (i == 1)
            {
                PutVarint((ulong)step);
            }
            else if (step == delta)
            {
                Put(0, 1);
            }
            else
            {
                Put(0b1111, 4);
                Put((ulong)(step - delta), 64);
            }

            delta = step;
            var xor = raw ^ BitConverter.DoubleToUInt64Bits(samples[i - 1].Value);
            if (xor == 0)
            {
                Put(0, 1);
            }
            else
            {
                Put(0b11, 2);
                Put(0, 5);
                Put(0, 6); // 64 significant bits
                Put(xor, 64);
            }
        }

        var bytes = new byte[2 + ((bits.Count + 7) / 8)];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)samples.Length);
        for (var i = 0; i < bits.Count; i++)
        {
            bytes[2 + (i / 8)] |= (byte)(bits[i] ? 0x80 >> (i % 8) : 0);
        }

        return new BlockChunk(ChunkEncoding.Xor, samples[0].Time, samples[^1].Time, bytes);
    }

    /// <summary>Writes series, in any order, as a block; returns its directory.</summary>
    public static string Write(string parent, IEnumerable<(Labels Labels, BlockChunk[] Chunks)> series, BlockDescription? description = null, int seed = 1)
    {
        using var writer = new BlockWriter(parent, Ulid.New(TimeProvider.System, new Random(seed)), description);
        foreach (var (labels, chunks) in series.OrderBy(s => s.Labels))
        {
            writer.AddSeries(labels.Encoded, chunks);
        }

        return Path.Combine(parent, writer.Finish().Ulid.ToString());
    }

    /// <summary>A block of <paramref name="count"/> series with a chunk or two each.</summary>
    public static string WriteSmall(string parent, int count = 100) => Write(parent, Enumerable.Range(0, count).Select(i =>
        (Labels.Of(("__name__", "metric_" + (i % 7)), ("instance", "host-" + i), ("job", i % 3 == 0 ? "" : "job" + (i % 3))),
            new[] { Xor((1000, i), (2000, i + 1), (3500, i)), Xor((4000, -i), (5000, double.NaN)) })));

    /// <summary>All samples of a set by labels.</summary>
    public static Dictionary<Labels, List<(long Time, double Value)>> Drain(ISeriesSet set)
    {
        using var _ = set;
        using var buffer = new SampleBuffer();
        var all = new Dictionary<Labels, List<(long, double)>>();
        for (var i = 0; i < set.Count; i++)
        {
            buffer.Clear();
            set.Read(i, buffer);
            var samples = new List<(long, double)>();
            for (var s = 0; s < buffer.Count; s++)
            {
                samples.Add((buffer.Times[s], buffer.Values[s]));
            }

            all.Add(set.LabelsOf(i), samples);
        }

        return all;
    }
}

/// <summary>A directory that goes with the test.</summary>
internal sealed class ScratchDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("metrics-blocks-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
