using FsCheck;
using FsCheck.Fluent;
using Metrics.Model;
using Xunit;

namespace Metrics.Storage.Tests.Log;

public sealed class WriteRecordTests
{
    /// <summary>Doubles as they are measured, and any others by their bits.</summary>
    private static Gen<double> AnyValue => Gen.OneOf(
        Gen.Choose(int.MinValue, int.MaxValue).Select(i => (double)i),
        Gen.Choose(-2_000_000, 2_000_000).Select(i => i / 100.0),
        Gen.Choose(-2_000_000, 2_000_000).Select(i => i / 10000.0),
        Gen.Choose(0, 300).Select(i => (double)i),
        ArbMap.Default.GeneratorFor<long>().Select(BitConverter.Int64BitsToDouble),
        Gen.Elements(0.0, -0.0, double.NaN, StaleMarker.Value, double.PositiveInfinity, double.NegativeInfinity, double.Epsilon, double.MaxValue, 9007199254740991, 9007199254740992, -9007199254740993, 0.1 + 0.2));

    [Fact]
    public void WhatIsLoggedIsReadBackToTheBit() => Prop.ForAll(AnyRecord().ToArbitrary(), content =>
    {
        var (record, want) = content;
        Assert.Equal(want, Read(record.Encode()));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void WhateverIsCutOffOrChangedIsAnErrorOrAnotherRecordButNeverACrash() => Prop.ForAll(AnyRecord().ToArbitrary(), content =>
    {
        var bytes = content.Record.Encode().ToArray();
        for (var length = 0; length < bytes.Length; length++)
        {
            var cut = bytes[..length];
            Assert.Throws<InvalidDataException>(() => Read(cut));
        }

        var random = new System.Random(bytes.Length);
        for (var i = 0; i < 200; i++)
        {
            var changed = bytes.ToArray();
            changed[random.Next(changed.Length)] ^= (byte)(1 << random.Next(8));
            try
            {
                Read(changed);
            }
            catch (InvalidDataException)
            {
                continue; // Most are; the frame's checksum catches the rest.
            }
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void SeriesThatComeTogetherShareTheirTexts()
    {
        var record = new WriteRecord();
        var plain = 0;
        for (uint i = 0; i < 1000; i++)
        {
            var labels = Labels.Of(("__name__", "http_request_duration_seconds_bucket"), ("instance", "10.0.0.1:8080"), ("path", $"/{i}"), ("pod", "api-gateway-5d8f9c7b4-x2x9z"));
            plain += labels.Encoded.Length;
            record.AddSeries(i, labels.Encoded);
            record.AddSample(i, 1, i % 2 == 0 ? 1 : i * 1.25);
        }

        Assert.InRange(record.Encode().Length, 1, plain / 5);
        record.Clear();
        Assert.True(record.IsEmpty);
        Assert.InRange(record.Encode().Length, 1, 10);
    }

    private static Gen<(WriteRecord Record, List<string> Want)> AnyRecord() =>
        from seeds in ArbMap.Default.GeneratorFor<uint>().ListOf()
        from values in AnyValue.ListOf()
        from times in Gen.Choose(0, 3).Select(t => 1_700_000_000_000 + (t * 15_000L)).ListOf(values.Count)
        select Make([.. seeds], [.. values], [.. times]);

    private static (WriteRecord Record, List<string> Want) Make(List<uint> series, List<double> values, List<long> times)
    {
        var record = new WriteRecord();
        var want = new List<string>();
        foreach (var reference in series)
        {
            var labels = Labels.Of(("__name__", $"m{reference % 3}"), ("pod", $"p{reference % 7}"), ($"l{reference % 2}", new string('x', (int)(reference % 200))));
            record.AddSeries(reference, labels.Encoded);
            want.Add($"{reference} {labels}");
        }

        for (var i = 0; i < values.Count; i++)
        {
            var reference = (uint)(i * 7919) % 1000;
            if (i % 11 == 10)
            {
                record.AddSample(reference, times[i], new FloatHistogram { Count = 1, Sum = values[i] });
            }
            else
            {
                record.AddSample(reference, times[i], values[i]);
            }

            want.Add($"{reference} {times[i]} {(i % 11 == 10 ? "h" : "")}{BitConverter.DoubleToInt64Bits(values[i])}");
        }

        if (values.Count % 2 == 1)
        {
            record.AddExemplar(new Exemplar(3, times[0], values[0], Labels.Of(("trace", "x"))));
            want.Add($"3 {times[0]} {BitConverter.DoubleToInt64Bits(values[0])} {Labels.Of(("trace", "x"))}");
        }

        return (record, want);
    }

    private static List<string> Read(ReadOnlySpan<byte> payload)
    {
        var visitor = new Collecting();
        WriteRecordReader.Read(payload, visitor);
        return visitor.Found;
    }

    private sealed class Collecting : IWriteRecordVisitor
    {
        public List<string> Found { get; } = [];

        public void Series(uint reference, ReadOnlySpan<byte> canonicalLabels) => Found.Add($"{reference} {Labels.FromEncoded(canonicalLabels)}");

        public void Sample(uint reference, long timeMs, double value) => Found.Add($"{reference} {timeMs} {BitConverter.DoubleToInt64Bits(value)}");

        public void Sample(uint reference, long timeMs, FloatHistogram histogram) => Found.Add($"{reference} {timeMs} h{BitConverter.DoubleToInt64Bits(histogram.Sum)}");

        public void Exemplar(in Exemplar exemplar) => Found.Add($"{exemplar.Series} {exemplar.TimeMs} {BitConverter.DoubleToInt64Bits(exemplar.Value)} {exemplar.Labels}");
    }
}
