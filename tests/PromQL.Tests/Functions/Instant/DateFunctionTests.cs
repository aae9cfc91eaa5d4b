using FsCheck;
using FsCheck.Fluent;
using Metrics.PromQL.Functions;
using Xunit;

namespace Metrics.PromQL.Tests.Functions.Instant;

public sealed class DateFunctionTests
{
    [Fact]
    public void EveryTimeThatTheBaseLibraryKnowsHasItsDate()
    {
        var seconds = Gen.Choose(int.MinValue, int.MaxValue).Select(n => (long)n * 28).ToArbitrary();
        Check.QuickThrowOnFailure(Prop.ForAll(seconds, at =>
        {
            var time = DateTimeOffset.FromUnixTimeSeconds(at);
            Assert.Equal(time.Year, DateFunctions.Year(at));
            Assert.Equal(time.Month, DateFunctions.Month(at));
            Assert.Equal(time.Day, DateFunctions.DayOfMonth(at));
            Assert.Equal(time.DayOfYear, DateFunctions.DayOfYear(at));
            Assert.Equal((int)time.DayOfWeek, DateFunctions.DayOfWeek(at));
            Assert.Equal(time.Hour, DateFunctions.Hour(at));
            Assert.Equal(time.Minute, DateFunctions.Minute(at));
            Assert.Equal(DateTime.DaysInMonth(time.Year, time.Month), DateFunctions.DaysInMonth(at));
        }));
    }

    [Theory]
    [InlineData(-1, 1969, 12, 31, 23, 59)]
    [InlineData(-62135596801, 0, 12, 31, 23, 59)]
    [InlineData(-62167219201, -1, 12, 31, 23, 59)]
    [InlineData(253402300800, 10000, 1, 1, 0, 0)]
    [InlineData(-0.9, 1970, 1, 1, 0, 0)]
    public void TimesBeyondTheBaseLibrarysHaveDatesToo(double seconds, double year, double month, double day, double hour, double minute)
    {
        Assert.Equal(year, DateFunctions.Year(seconds));
        Assert.Equal(month, DateFunctions.Month(seconds));
        Assert.Equal(day, DateFunctions.DayOfMonth(seconds));
        Assert.Equal(hour, DateFunctions.Hour(seconds));
        Assert.Equal(minute, DateFunctions.Minute(seconds));
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(1e300)]
    public void WhatIsNoTimeIsTheEarliestWrappedToTheLatest(double seconds)
    {
        Assert.Equal(292277026596, DateFunctions.Year(seconds));
        Assert.Equal(12, DateFunctions.Month(seconds));
        Assert.Equal(4, DateFunctions.DayOfMonth(seconds));
        Assert.Equal(15, DateFunctions.Hour(seconds));
        Assert.Equal(30, DateFunctions.Minute(seconds));
    }
}
