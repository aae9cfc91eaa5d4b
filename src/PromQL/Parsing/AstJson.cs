using System.Text.Json;
using Metrics.Model;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.PromQL.Parsing;

/// <summary>Writes an expression as the JSON tree of <c>/api/v1/parse_query</c>.</summary>
/// <remarks>prometheus/prometheus web/api/v1/translate_ast.go; the keys of each object ascend, as Go's maps are encoded.</remarks>
public static class AstJson
{
    /// <summary>Writes one value: the tree of the expression.</summary>
    public static void Write(Utf8JsonWriter json, Expr expr)
    {
        json.WriteStartObject();
        switch (expr)
        {
            case AggregateExpr aggregate:
                WriteChild(json, "expr", aggregate.Inner);
                WriteStrings(json, "grouping", aggregate.Grouping);
                json.WriteString("op", Printer.NameOf(aggregate.Operator));
                WriteChild(json, "param", aggregate.Parameter);
                json.WriteString("type", "aggregation");
                json.WriteBoolean("without", aggregate.Without);
                break;
            case BinaryExpr binary:
                WriteBinary(json, binary);
                break;
            case CallExpr call:
                WriteCall(json, call);
                break;
            case MatrixSelector matrix:
                WriteSelector(json, matrix.Selector, matrix.Range);
                break;
            case VectorSelector vector:
                WriteSelector(json, vector, null);
                break;
            case SubqueryExpr subquery:
                WriteSubquery(json, subquery);
                break;
            case NumberLiteral number:
                json.WriteString("type", "numberLiteral");
                json.WriteString("val", GoNumber.Plain(number.Value));
                break;
            case StringLiteral literal:
                json.WriteString("type", "stringLiteral");
                json.WriteString("val", literal.Value);
                break;
            case ParenExpr paren:
                WriteChild(json, "expr", paren.Inner);
                json.WriteString("type", "parenExpr");
                break;
            case UnaryExpr unary:
                WriteChild(json, "expr", unary.Operand);
                json.WriteString("op", unary.IsMinus ? "-" : "+");
                json.WriteString("type", "unaryExpr");
                break;
            default:
                throw new ArgumentException($"no JSON for a {expr.GetType().Name}", nameof(expr));
        }

        json.WriteEndObject();
    }

    private static void WriteChild(Utf8JsonWriter json, string name, Expr? child)
    {
        json.WritePropertyName(name);
        if (child is null)
        {
            json.WriteNullValue();
        }
        else
        {
            Write(json, child);
        }
    }

    private static void WriteBinary(Utf8JsonWriter json, BinaryExpr binary)
    {
        json.WriteBoolean("bool", binary.ReturnBool);
        WriteChild(json, "lhs", binary.Left);
        if (binary.Matching is { } matching)
        {
            json.WriteStartObject("matching");
            json.WriteString("card", matching.Cardinality switch
            {
                MatchCardinality.OneToOne => "one-to-one",
                MatchCardinality.ManyToOne => "many-to-one",
                MatchCardinality.OneToMany => "one-to-many",
                _ => "many-to-many",
            });
            json.WriteStartObject("fillValues");
            WriteFill(json, "lhs", matching.FillLeft);
            WriteFill(json, "rhs", matching.FillRight);
            json.WriteEndObject();
            WriteStrings(json, "include", matching.Include);
            WriteStrings(json, "labels", matching.MatchingLabels);
            json.WriteBoolean("on", matching.On);
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("matching");
        }

        json.WriteString("op", Printer.NameOf(binary.Operator));
        WriteChild(json, "rhs", binary.Right);
        json.WriteString("type", "binaryExpr");
    }

    private static void WriteFill(Utf8JsonWriter json, string name, double? value)
    {
        if (value is not { } number)
        {
            json.WriteNull(name);
        }
        else if (double.IsFinite(number))
        {
            json.WriteNumber(name, number);
        }
        else
        {
            // JSON has no such number; the reference fails here.
            json.WriteString(name, GoNumber.Plain(number));
        }
    }

    private static void WriteCall(Utf8JsonWriter json, CallExpr call)
    {
        json.WriteStartArray("args");
        foreach (var argument in call.Arguments)
        {
            Write(json, argument);
        }

        json.WriteEndArray();
        json.WriteStartObject("func");
        WriteStrings(json, "argTypes", call.Function.ArgumentTypes.Select(Printer.NameOf));
        json.WriteString("name", call.Function.Name);
        json.WriteString("returnType", Printer.NameOf(call.Function.ReturnType));
        json.WriteNumber("variadic", call.Function.Variadic);
        json.WriteEndObject();
        json.WriteString("type", "call");
    }

    private static void WriteSelector(Utf8JsonWriter json, VectorSelector selector, DurationValue? range)
    {
        json.WriteBoolean("anchored", selector.Mode == RangeMode.Anchored);
        WriteMatchers(json, selector.Matchers);
        json.WriteString("name", selector.Name ?? "");
        WriteDuration(json, "offset", selector.Offset);
        if (range is not null)
        {
            WriteDuration(json, "range", range);
        }

        json.WriteBoolean("smoothed", selector.Mode == RangeMode.Smoothed);
        WriteAt(json, selector.At);
        json.WriteString("type", range is null ? "vectorSelector" : "matrixSelector");
    }

    private static void WriteSubquery(Utf8JsonWriter json, SubqueryExpr subquery)
    {
        WriteChild(json, "expr", subquery.Inner);
        WriteDuration(json, "offset", subquery.Offset);
        WriteDuration(json, "range", subquery.Range);
        if (subquery.At.Kind is AtKind.Start or AtKind.End)
        {
            json.WriteString("startOrEnd", subquery.At.Kind == AtKind.Start ? "start" : "end");
        }
        else
        {
            json.WriteNull("startOrEnd");
        }

        WriteDuration(json, "step", subquery.Step ?? DurationValue.Zero);
        WriteTimestamp(json, subquery.At);
        json.WriteString("type", "subquery");
    }

    private static void WriteAt(Utf8JsonWriter json, AtModifier at)
    {
        if (at.Kind is AtKind.Start or AtKind.End)
        {
            json.WriteString("startOrEnd", at.Kind == AtKind.Start ? "start" : "end");
        }
        else
        {
            json.WriteNull("startOrEnd");
        }

        WriteTimestamp(json, at);
    }

    private static void WriteTimestamp(Utf8JsonWriter json, AtModifier at)
    {
        if (at.Kind == AtKind.Timestamp)
        {
            json.WriteNumber("timestamp", at.TimeMs);
        }
        else
        {
            json.WriteNull("timestamp");
        }
    }

    private static void WriteMatchers(Utf8JsonWriter json, IReadOnlyList<Matcher> matchers)
    {
        json.WriteStartArray("matchers");
        foreach (var matcher in matchers)
        {
            json.WriteStartObject();
            json.WriteString("name", matcher.Name);
            json.WriteString("type", matcher.Type switch { MatchType.Equal => "=", MatchType.NotEqual => "!=", MatchType.Regex => "=~", _ => "!~" });
            json.WriteString("value", matcher.Value);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteDuration(Utf8JsonWriter json, string name, DurationValue value)
    {
        json.WriteNumber(name, value.Ms);
        json.WritePropertyName(name + "Expr");
        if (value.Expression is null)
        {
            json.WriteNullValue();
        }
        else
        {
            WriteDurationExpr(json, value.Expression, wrapped: false);
        }
    }

    private static void WriteDurationExpr(Utf8JsonWriter json, DurationExpr duration, bool wrapped)
    {
        switch (duration)
        {
            case DurationParen { Inner: not DurationNumber } paren:
                WriteDurationExpr(json, paren.Inner, wrapped: true);
                break;
            case DurationParen paren:
                WriteOperation(json, "+", null, paren.Inner, wrapped: true);
                break;
            case DurationNumber number:
                json.WriteStartObject();
                json.WriteBoolean("duration", number.IsDuration);
                json.WriteString("type", "numberLiteral");
                json.WriteString("val", GoNumber.Plain(number.Seconds));
                json.WriteEndObject();
                break;
            case DurationCall call:
                WriteOperation(json, call.Name, null, null, wrapped);
                break;
            case DurationOperation operation:
                WriteOperation(json, operation.Operator, operation.Left, operation.Right, wrapped);
                break;
            default:
                throw new ArgumentException($"no JSON for a {duration.GetType().Name}", nameof(duration));
        }
    }

    private static void WriteOperation(Utf8JsonWriter json, string op, DurationExpr? left, DurationExpr? right, bool wrapped)
    {
        json.WriteStartObject();
        foreach (var (name, side) in (ReadOnlySpan<(string, DurationExpr?)>)[("lhs", left), ("rhs", right)])
        {
            json.WritePropertyName(name);
            if (side is null)
            {
                json.WriteNullValue();
            }
            else
            {
                WriteDurationExpr(json, side, wrapped: false);
            }
        }

        json.WriteString("op", op);
        json.WriteString("type", "durationExpr");
        json.WriteBoolean("wrapped", wrapped);
        json.WriteEndObject();
    }

    private static void WriteStrings(Utf8JsonWriter json, string name, IEnumerable<string> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values)
        {
            json.WriteStringValue(value);
        }

        json.WriteEndArray();
    }
}
