using FsCheck;
using FsCheck.Fluent;
using Metrics.Gateway.FrontEnd;
using Xunit;

namespace Metrics.Gateway.Tests.FrontEnd;

public sealed class TimeGridPartTests
{
    [Theory]
    [InlineData(86_400_000, 60_000, 86_400_000)]
    [InlineData(86_400_000, 3_600_000, 10 * 86_400_000L + 86_400_000)]
    [InlineData(0, 60_000, 0)]
    [InlineData(86_400_000, long.MaxValue / 2, 0)]
    public void WidthsHoldEnoughSteps(long intervalMs, long stepMs, long widthMs) => Assert.Equal(widthMs, TimeGridPart.SplitWidthMs(intervalMs, stepMs));

    [Fact]
    public void PartsHoldEveryStepOnceAndEachItsOwnStretchOfTime()
    {
        var cases = from start in Gen.Choose(-1_000_000, 1_000_000)
                    from steps in Gen.Choose(1, 500)
                    from step in Gen.Choose(1, 5000)
                    from width in Gen.Choose(0, 100_000)
                    select (Start: (long)start, Steps: steps, Step: (long)step, Width: (long)width);
        Check.QuickThrowOnFailure(Prop.ForAll(cases.ToArbitrary(), static c =>
        {
            var whole = new TimeGridPart(c.Start, c.Start + ((c.Steps - 1) * c.Step), c.Step);
            var next = c.Start;
            foreach (var (number, part) in whole.Split(c.Width))
            {
                Assert.Equal(next, part.StartMs);
                Assert.Equal(0, (part.EndMs - part.StartMs) % c.Step);
                if (c.Width > 0)
                {
                    Assert.InRange(part.StartMs, number * c.Width, ((number + 1) * c.Width) - 1);
                    Assert.InRange(part.EndMs, number * c.Width, ((number + 1) * c.Width) - 1);
                }

                next = part.EndMs + c.Step;
            }

            Assert.Equal(whole.EndMs + c.Step, next);
        }));
    }
}
