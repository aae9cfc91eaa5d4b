using System.Globalization;
using System.Text;

namespace Metrics.Rules.Templates;

/// <summary>A function of templates.</summary>
internal sealed record TemplateFunction(int MinArguments, int MaxArguments, Func<TemplateCall, ValueTask<object?>> Invoke);

/// <summary>The arguments of a call.</summary>
internal sealed class TemplateCall(TemplateRun run, object?[] arguments)
{
    public TemplateRun Run => run;

    public object?[] Arguments => arguments;

    public object? this[int index] => arguments[index];

    /// <summary>A string argument.</summary>
    public string Text(int index) => arguments[index] switch
    {
        string text => text,
        SafeHtml html => html.Text,
        var other => throw Wrong("string", other),
    };

    /// <summary>A number, or a string or duration that stands for one.</summary>
    public double Number(int index) => arguments[index] switch
    {
        double number => number,
        long whole => whole,
        TimeSpan duration => duration.TotalSeconds,
        string text => TryParse(text, out var number) ? number : throw new TemplateFault($"strconv.ParseFloat: parsing {Model.LabelsText.Quote(text)}: invalid syntax"),
        var other => throw new TemplateFault($"can't convert {(other is null ? "<nil>" : TemplateValue.TypeName(other))} to float"),
    };

    /// <summary>A query's result.</summary>
    public IReadOnlyList<object?> Vector(int index) => arguments[index] as IReadOnlyList<object?> ?? throw Wrong("template.queryResult", arguments[index]);

    /// <summary>An element of a query's result.</summary>
    public TemplateSample Sample(int index) => arguments[index] as TemplateSample ?? throw Wrong("*template.sample", arguments[index]);

    private static TemplateArgumentFault Wrong(string wanted, object? got) => new(got is null
        ? $"invalid value; expected {wanted}"
        : $"wrong type for value; expected {wanted}; got {TemplateValue.TypeName(got)}");

    private static bool TryParse(string text, out double value)
    {
        switch (text.TrimStart('+', '-').ToLowerInvariant())
        {
            case "inf" or "infinity":
                value = text.StartsWith('-') ? double.NegativeInfinity : double.PositiveInfinity;
                return true;
            case "nan":
                value = double.NaN;
                return true;
        }

        return double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out value);
    }
}

/// <summary>An argument of the wrong type; Go reports it without the name of the function.</summary>
internal sealed class TemplateArgumentFault(string message) : TemplateFault(message);

/// <summary>Go's own functions and Prometheus's, by name.</summary>
internal static class TemplateFunctions
{
    private const int Any = int.MaxValue;

    private static readonly Dictionary<string, TemplateFunction> all = Build();

    /// <summary>The function of a name, or null.</summary>
    public static TemplateFunction? Find(string name) => all.GetValueOrDefault(name);

    /// <summary>The names of all functions.</summary>
    public static IEnumerable<string> Names => all.Keys;

    private static Dictionary<string, TemplateFunction> Build()
    {
        var functions = new Dictionary<string, TemplateFunction>(StringComparer.Ordinal);
        void Add(string name, int min, int max, Func<TemplateCall, object?> invoke) => functions.Add(name, new TemplateFunction(min, max, call => new(invoke(call))));

        // The arguments of and/or are evaluated one by one, so the run itself does it.
        Add("and", 1, Any, static call => call[0]);
        Add("or", 1, Any, static call => call[0]);
        Add("not", 1, 1, static call => !TemplateValue.IsTrue(call[0]));
        Add("len", 1, 1, Length);
        Add("index", 1, Any, Index);
        Add("slice", 1, 4, Slice);
        Add("call", 1, Any, static call => throw new TemplateFault(call[0] is null ? "call of nil" : $"non-function {TemplateValue.Text(call[0])} of type {TemplateValue.TypeName(call[0])}"));
        Add("print", 0, Any, static call => GoPrintf.Print(call.Arguments));
        Add("println", 0, Any, static call => GoPrintf.PrintLine(call.Arguments));
        Add("printf", 1, Any, static call => GoPrintf.Format(call.Text(0), call.Arguments.AsSpan(1)));
        Add("html", 0, Any, static call => Escapes.Html(Joined(call)));
        Add("js", 0, Any, static call => Escapes.Js(Joined(call)));
        Add("urlquery", 0, Any, static call => Escapes.Query(Joined(call)));
        Add("eq", 1, Any, IsEqualToAny);
        Add("ne", 2, 2, static call => !TemplateValue.AreEqual(call[0], call[1]));
        Add("lt", 2, 2, static call => TemplateValue.IsLess(call[0], call[1]));
        Add("le", 2, 2, static call => TemplateValue.IsLess(call[0], call[1]) || TemplateValue.AreEqual(call[0], call[1]));
        Add("gt", 2, 2, static call => !TemplateValue.IsLess(call[0], call[1]) && !TemplateValue.AreEqual(call[0], call[1]));
        Add("ge", 2, 2, static call => !TemplateValue.IsLess(call[0], call[1]));
        PrometheusFunctions.AddTo(Add);
        functions.Add("query", new TemplateFunction(1, 1, PrometheusFunctions.QueryAsync));
        functions.Add("tmpl", new TemplateFunction(2, 2, static async call => new SafeHtml(await call.Run.CallAsync(call.Text(0), call[1]))));
        return functions;
    }

    private static string Joined(TemplateCall call) => call.Arguments is [string or SafeHtml] ? call[0]!.ToString()! : GoPrintf.Print(call.Arguments);

    private static object? Length(TemplateCall call) => call[0] switch
    {
        string text => (long)Encoding.UTF8.GetByteCount(text),
        TemplateMap map => (long)map.Entries.Count,
        IReadOnlyList<object?> list => (long)list.Count,
        null => throw new TemplateFault("len of nil pointer"),
        var other => throw new TemplateFault($"len of type {TemplateValue.TypeName(other)}"),
    };

    private static object? Index(TemplateCall call)
    {
        var value = call[0];
        for (var i = 1; i < call.Arguments.Length; i++)
        {
            value = (value, call[i]) switch
            {
                (TemplateMap map, string key) => map[key],
                (TemplateMap, var key) => throw new TemplateFault($"value has type {TemplateValue.TypeName(key)}; should be string"),
                (IReadOnlyList<object?> list, long at) => at >= 0 && at < list.Count ? list[(int)at] : throw new TemplateFault($"index out of range: {at}"),
                (string text, long at) => Encoding.UTF8.GetBytes(text) is var bytes && at >= 0 && at < bytes.Length
                    ? (long)bytes[at]
                    : throw new TemplateFault($"index out of range: {at}"),
                (null, _) => throw new TemplateFault("index of untyped nil"),
                (IReadOnlyList<object?> or string, var at) => throw new TemplateFault($"cannot index slice/array with type {TemplateValue.TypeName(at)}"),
                _ => throw new TemplateFault($"can't index item of type {TemplateValue.TypeName(value)}"),
            };
        }

        return value;
    }

    private static object? Slice(TemplateCall call)
    {
        var bytes = call[0] is string text ? Encoding.UTF8.GetBytes(text) : null;
        var length = bytes?.Length ?? (call[0] as IReadOnlyList<object?>)?.Count ?? throw new TemplateFault($"can't slice item of type {TemplateValue.TypeName(call[0])}");
        if (bytes is not null && call.Arguments.Length == 4)
        {
            throw new TemplateFault("cannot 3-index slice a string");
        }

        var from = Bound(call, 1, 0, length);
        var to = Bound(call, 2, length, length);
        if (from > to)
        {
            throw new TemplateFault($"invalid slice index: {from} > {to}");
        }

        return bytes is not null ? Encoding.UTF8.GetString(bytes[from..to]) : ((IReadOnlyList<object?>)call[0]!).Skip(from).Take(to - from).ToList();
    }

    private static int Bound(TemplateCall call, int index, int otherwise, int length)
    {
        if (index >= call.Arguments.Length)
        {
            return otherwise;
        }

        return call[index] is long at ? at >= 0 && at <= length ? (int)at : throw new TemplateFault($"index out of range: {at}")
            : throw new TemplateFault($"cannot index slice/array with type {TemplateValue.TypeName(call[index])}");
    }

    private static object? IsEqualToAny(TemplateCall call)
    {
        if (call.Arguments.Length < 2)
        {
            throw new TemplateFault("missing argument for comparison");
        }

        for (var i = 1; i < call.Arguments.Length; i++)
        {
            if (TemplateValue.AreEqual(call[0], call[i]))
            {
                return true;
            }
        }

        return false;
    }
}
