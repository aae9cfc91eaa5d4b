using Metrics.PromQL.Parsing;
using Xunit;

namespace Metrics.PromQL.Tests.Parsing;

public sealed class ParserTests
{
    [Theory]
    [InlineData("1")]
    [InlineData("-1")]
    [InlineData("+Inf", "+Inf")]
    [InlineData("-inf", "-Inf")]
    [InlineData("nan", "NaN")]
    [InlineData("0x1f", "31")]
    [InlineData("0755", "493")]
    [InlineData("08", "8")]
    [InlineData("1_000.5", "1000.5")]
    [InlineData("1e3", "1000")]
    [InlineData("1.5e-7", "0.00000015")]
    [InlineData("1e23", "100000000000000000000000")]
    [InlineData("9007199254740993", "9007199254740992")]
    [InlineData(".5", "0.5")]
    [InlineData("5m")]
    [InlineData("1h30m")]
    [InlineData("-5m")]
    [InlineData("'a\\'b'", "\"a'b\"")]
    [InlineData("`a\\n`", "\"a\\\\n\"")]
    [InlineData("\"\\u00e9\\x41\\102\"", "\"éAB\"")]
    [InlineData("a:b")]
    [InlineData("foo{bar=\"baz\",}", "foo{bar=\"baz\"}")]
    [InlineData("{\"my.metric\", 'l.x'='v'}", "{\"l.x\"=\"v\",__name__=\"my.metric\"}")]
    [InlineData("foo{a!~\"x\",b=~'y.*'}", "foo{a!~\"x\",b=~\"y.*\"}")]
    [InlineData("sum")]
    [InlineData("on + 1", null)]
    [InlineData("by + without", "by + without")]
    [InlineData("fill + fill_left", "fill + fill_left")]
    [InlineData("step{a='b'}", "step{a=\"b\"}")]
    [InlineData("foo offset 5m")]
    [InlineData("foo offset -1w", "foo offset -1w")]
    [InlineData("foo offset 3 * 2", "foo offset 3s * 2")]
    [InlineData("foo offset -2^2", "foo offset -2s ^ 2")]
    [InlineData("foo offset (3 * 2)")]
    [InlineData("foo offset -(3m)", "foo offset -(3m)")]
    [InlineData("foo offset step()")]
    [InlineData("foo @ 1.5", "foo @ 1.500")]
    [InlineData("foo @ -5m offset 1m", "foo @ -300.000 offset 1m")]
    [InlineData("foo @ start()")]
    [InlineData("foo[5m] @ end() offset 1h")]
    [InlineData("foo[5m + step()]")]
    [InlineData("foo[(5m)]")]
    [InlineData("foo[((5m))]", "foo[(5m)]")]
    [InlineData("foo[-(-5m)]", "foo[-(-5m)]")]
    [InlineData("foo[min_of(5m, step() * 2) ^ 2]")]
    [InlineData("foo[90s]", "foo[1m30s]")]
    [InlineData("foo[300]", "foo[5m]")]
    [InlineData("foo[5m:]")]
    [InlineData("rate(foo[5m])[1h:1m] @ 3 offset 2s", "rate(foo[5m])[1h:1m] @ 3.000 offset 2s")]
    [InlineData("foo[5m] anchored")]
    [InlineData("foo[5m] smoothed @ 5", "foo[5m] smoothed @ 5.000")]
    [InlineData("sum by (a, \"b.c\") (foo)", "sum by (a, \"b.c\") (foo)")]
    [InlineData("sum(foo) without (a)", "sum without (a) (foo)")]
    [InlineData("sum by () (foo)", "sum(foo)")]
    [InlineData("topk(5, foo)")]
    [InlineData("count_values('x', foo)", "count_values(\"x\", foo)")]
    [InlineData("a + b * c ^ d ^ e")]
    [InlineData("-a ^ 2", "-a ^ 2")]
    [InlineData("a and b or c unless d")]
    [InlineData("a == bool b")]
    [InlineData("1 > bool 2")]
    [InlineData("a / on (x) group_left (y) b")]
    [InlineData("a * ignoring (x) group_right () b", "a * ignoring (x) group_right () b")]
    [InlineData("a + fill(1) b", "a + fill (1) b")]
    [InlineData("a + on(x) fill_right(-2) fill_left(3) b", "a + on (x) fill_left (3) fill_right (-2) b")]
    [InlineData("a </ 5")]
    [InlineData("a >/ 5")]
    [InlineData("a atan2 b")]
    [InlineData("# first\nfoo # more\n + bar", "foo + bar")]
    [InlineData("time()")]
    [InlineData("label_replace(a, 'b', '$1', 'c', '(.*)')", "label_replace(a, \"b\", \"$1\", \"c\", \"(.*)\")")]
    [InlineData("info(a, {b='c'})", "info(a, {b=\"c\"})")]
    [InlineData("info(a, {})", "info(a, )")]
    [InlineData("max_of(1, 2)")]
    [InlineData("START{}", "START")]
    public void PrintsWhatItParsed(string query, string? printed = "")
    {
        if (printed is null)
        {
            Assert.Throws<PromQLParseException>(() => PromQLParser.Parse(query, ParseOptions.All));
            return;
        }

        Assert.Equal(printed.Length == 0 ? query : printed, Printer.Print(PromQLParser.Parse(query, ParseOptions.All)));
    }

    [Theory]
    [InlineData("", "unknown position: parse error: no expression found in input")]
    [InlineData("# only", "1:1: parse error: no expression found in input")]
    [InlineData("foo bar", "1:5: parse error: unexpected identifier \"bar\"")]
    [InlineData("sum(foo bar)", "1:9: parse error: unexpected identifier \"bar\" in aggregation")]
    [InlineData("rate(foo bar)", "1:10: parse error: unexpected identifier \"bar\"")]
    [InlineData("foo +", "1:6: parse error: unexpected end of input")]
    [InlineData("(foo", "1:5: parse error: unclosed left parenthesis")]
    [InlineData("foo)", "1:5: parse error: unexpected right parenthesis ')'")]
    [InlineData("foo[5m", "1:7: parse error: unclosed left bracket")]
    [InlineData("foo[", "1:5: parse error: unexpected end of input in duration expression")]
    [InlineData("foo{", "1:5: parse error: unexpected end of input inside braces")]
    [InlineData("foo{a}", "1:6: parse error: unexpected \"}\" in label matching, expected label matching operator")]
    [InlineData("foo{a=b}", "1:7: parse error: unexpected identifier \"b\" in label matching, expected string")]
    [InlineData("foo{,}", "1:5: parse error: unexpected \",\" in label matching, expected identifier or \"}\"")]
    [InlineData("foo{a='b' c='d'}", "1:11: parse error: unexpected identifier \"c\" in label matching, expected \",\" or \"}\"")]
    [InlineData("{}", "1:1: parse error: vector selector must contain at least one non-empty matcher")]
    [InlineData("{a=''}", "1:1: parse error: vector selector must contain at least one non-empty matcher")]
    [InlineData("foo{__name__='bar'}", "1:1: parse error: metric name must not be set twice: \"foo\" or \"bar\"")]
    [InlineData("nope(foo)", "1:1: parse error: unknown function with name \"nope\"")]
    [InlineData("rate(foo)", "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector")]
    [InlineData("rate(foo[5m], 1)", "1:1: parse error: expected 1 argument(s) in call to \"rate\", got 2")]
    [InlineData("round(foo, 1, 2)", "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3")]
    [InlineData("label_join(foo)", "1:1: parse error: expected at least 3 argument(s) in call to \"label_join\", got 1")]
    [InlineData("rate(foo,)", "1:9: parse error: trailing commas not allowed in function call args")]
    [InlineData("sum()", "1:1: parse error: no arguments for aggregate expression provided")]
    [InlineData("topk(foo)", "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1")]
    [InlineData("sum(1)", "1:5: parse error: expected type instant vector in aggregation expression, got scalar")]
    [InlineData("sum by a (foo)", "1:8: parse error: unexpected identifier \"a\" in grouping opts, expected \"(\"")]
    [InlineData("1 == 2", "1:3: parse error: comparisons between scalars must use BOOL modifier")]
    [InlineData("a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators")]
    [InlineData("1 and 2", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression")]
    [InlineData("a and on(x) group_left() b", "1:1: parse error: no grouping allowed for \"and\" operation")]
    [InlineData("a * on(x) group_left(x) b", "1:3: parse error: label \"x\" must not occur in ON and GROUP clause at once")]
    [InlineData("a * on(x) 1", "1:1: parse error: vector matching only allowed between instant vectors")]
    [InlineData("'a' + 1", "1:1: parse error: binary expression must contain only scalar and instant vector types")]
    [InlineData("-'a'", "1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got \"string\"")]
    [InlineData("1[5m:1m]", "1:1: parse error: subquery is only allowed on instant vector, got scalar instead")]
    [InlineData("sum(foo)[5m]", "1:9: parse error: ranges only allowed for vector selectors")]
    [InlineData("foo offset 5m[5m]", "1:14: parse error: no offset modifiers allowed before range")]
    [InlineData("foo @ 5 [5m]", "1:9: parse error: no @ modifiers allowed before range")]
    [InlineData("foo[0]", "1:5: parse error: duration must be greater than 0")]
    [InlineData("foo[5m/0]", "1:7: parse error: division by zero")]
    [InlineData("foo offset 5m offset 5m", "1:1: parse error: offset may not be set multiple times")]
    [InlineData("1 offset 5m", "1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery")]
    [InlineData("foo offset bar", "1:12: parse error: unexpected identifier \"bar\" in offset, expected number, duration, step(), or range()")]
    [InlineData("foo @ bar", "1:7: parse error: unexpected identifier \"bar\" in @, expected timestamp")]
    [InlineData("foo @ Inf", "1:1: parse error: timestamp out of bounds for @ modifier: +Inf")]
    [InlineData("foo[5m] anchored smoothed", "1:1: parse error: anchored and smoothed modifiers cannot be used together")]
    [InlineData("foo[5m5h]", "1:5: parse error: not a valid duration string: \"5m5h\"")]
    [InlineData("5z", "1:1: parse error: bad number or duration syntax: \"5\"")]
    [InlineData("'a", "1:1: parse error: unterminated quoted string")]
    [InlineData("'\\q'", "1:1: parse error: unknown escape sequence U+0071 'q'")]
    [InlineData("$", "1:1: parse error: unexpected character: '$'")]
    [InlineData("a\n+ +\n)", "3:2: parse error: unexpected right parenthesis ')'")]
    [InlineData("\"é\" + $", "1:8: parse error: unexpected character: '$'")]
    [InlineData("a{b=~'('}", "1:3: parse error: error parsing regexp: missing closing ): `(`")]
    [InlineData("foo =~ 'a'", "1:5: parse error: unexpected character after '=': '~'")]
    [InlineData("a = b", "1:3: parse error: unexpected \"=\"")]
    [InlineData("info(a, b)", "1:9: parse error: expected label selectors only, got vector selector instead")]
    public void SaysWhatPrometheusSays(string query, string error)
    {
        Assert.Equal(error, Assert.Throws<PromQLParseException>(() => PromQLParser.Parse(query, ParseOptions.All)).Message);
    }

    [Theory]
    [InlineData("sort_by_label(a, 'b')", "1:1: parse error: function \"sort_by_label\" is not enabled")]
    [InlineData("limitk(1, a)", "1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions")]
    [InlineData("a[5m] anchored", "1:1: parse error: anchored modifier is experimental and not enabled")]
    [InlineData("a + fill(1) b", "1:1: parse error: binop fill modifiers are experimental and not enabled")]
    [InlineData("a[5m+5m]", "1:3: parse error: experimental duration expression is not enabled")]
    public void RefusesWhatIsNotSwitchedOn(string query, string error)
    {
        var none = new ParseOptions { DurationExpressions = false };
        Assert.Equal(error, Assert.Throws<PromQLParseException>(() => PromQLParser.Parse(query, none)).Message);
        PromQLParser.Parse(query, ParseOptions.All);
    }

    [Theory]
    [InlineData("(", ")")]
    [InlineData("-(", ")")]
    [InlineData("sum(", ")")]
    [InlineData("1+", "")]
    [InlineData("a[1m:1m]", "")]
    [InlineData("- ", "")]
    [InlineData("1 ^ ", "")]
    [InlineData("a{", "}")]
    public void HostileNestingIsAnErrorAndNoCrash(string open, string close)
    {
        const int Times = 200_000;
        var query = string.Concat(Enumerable.Repeat(open, Times)) + "1" + string.Concat(Enumerable.Repeat(close, Times));
        Assert.Throws<PromQLParseException>(() => PromQLParser.Parse(query, ParseOptions.All));
    }

    [Fact]
    public void ASelectorAloneMayMatchTheEmptySet()
    {
        Assert.Single(PromQLParser.ParseSelector("{a=''}"));
        Assert.Equal(2, PromQLParser.ParseSelector("up{job=~'a|b'}").Count);
        Assert.Throws<PromQLParseException>(() => PromQLParser.ParseSelector("up[5m]"));
        Assert.Throws<PromQLParseException>(() => PromQLParser.ParseSelector("1"));
    }
}
