using System.Text;
using Metrics.Model;

namespace Metrics.Rules.Templates;

/// <summary>Executes a parsed template once. Output, steps and nesting are bounded, so that no template can exhaust the process.</summary>
/// <remarks>Go's text/template/exec.go.</remarks>
internal sealed class TemplateRun(Template template, TemplateEnvironment environment, CancellationToken cancellation)
{
    private const int MaxOutputChars = 1 << 20;
    private const int MaxSteps = 1_000_000;
    private const int MaxCallDepth = 50;

    private readonly List<(string Name, object? Value)> variables = [];
    private StringBuilder output = new();
    private string executing = template.Name;
    private int steps;
    private int depth;

    /// <summary>What functions need from outside.</summary>
    public TemplateEnvironment Environment => environment;

    /// <summary>Cancelled when nobody waits for the text any more.</summary>
    public CancellationToken Cancellation => cancellation;

    /// <summary>Executes the template on the data.</summary>
    /// <exception cref="TemplateException">It failed.</exception>
    public async ValueTask<string> ExecuteAsync(object? data)
    {
        variables.Add(("$", data));
        await WalkAsync(template.Body, data);
        return output.ToString();
    }

    /// <summary>Executes a nested template by name and gives its text.</summary>
    public async ValueTask<string> CallAsync(string name, object? data)
    {
        var outer = output;
        output = new StringBuilder();
        try
        {
            await CallNestedAsync(name, data, null);
            return output.ToString();
        }
        finally
        {
            output = outer;
        }
    }

    private enum Jump
    {
        None,
        Break,
        Continue,
    }

    private async ValueTask<Jump> WalkAsync(IReadOnlyList<TemplateNode> nodes, object? dot)
    {
        foreach (var node in nodes)
        {
            CountStep(node);
            switch (node)
            {
                case TextNode text:
                    Write(text.Text, node);
                    break;
                case ActionNode action:
                    var value = await PipeAsync(action.Pipe, dot);
                    if (action.Pipe.Variables.Count == 0)
                    {
                        Write(Printed(value, action.Pipe), node);
                    }

                    break;
                case BranchNode branch:
                    var mark = variables.Count;
                    var jump = branch.Kind == BranchKind.Range ? await RangeAsync(branch, dot) : await BranchAsync(branch, dot);
                    variables.RemoveRange(mark, variables.Count - mark);
                    if (jump != Jump.None)
                    {
                        return jump;
                    }

                    break;
                case CallNode call:
                    var argument = call.Pipe is null ? null : await PipeAsync(call.Pipe, dot);
                    await CallNestedAsync(call.Name, argument, call);
                    break;
                case JumpNode jumping:
                    return jumping.IsBreak ? Jump.Break : Jump.Continue;
            }
        }

        return Jump.None;
    }

    private async ValueTask<Jump> BranchAsync(BranchNode branch, object? dot)
    {
        var value = await PipeAsync(branch.Pipe, dot);
        if (TemplateValue.IsTrue(value))
        {
            return await WalkAsync(branch.Body, branch.Kind == BranchKind.With ? value : dot);
        }

        return branch.Else is null ? Jump.None : await WalkAsync(branch.Else, dot);
    }

    private async ValueTask<Jump> RangeAsync(BranchNode range, object? dot)
    {
        var mark = variables.Count;
        var over = await PipeAsync(range.Pipe, dot, declares: false);
        var any = false;
        foreach (var (key, element) in ElementsOf(over, range))
        {
            any = true;
            CountStep(range);
            SetRangeVariables(range.Pipe, key, element);
            var jump = await WalkAsync(range.Body, element);
            variables.RemoveRange(mark, variables.Count - mark);
            if (jump == Jump.Break)
            {
                break;
            }
        }

        return any || range.Else is null ? Jump.None : await WalkAsync(range.Else, dot);
    }

    private IEnumerable<(object? Key, object? Element)> ElementsOf(object? over, BranchNode range)
    {
        switch (over)
        {
            case null:
                return [];
            case TemplateMap map:
                var keys = map.Entries.Keys.ToList();
                keys.Sort(TemplateValue.Order);
                return keys.Select(k => ((object?)k, map[k]));
            case IReadOnlyList<object?> list:
                return list.Select((e, i) => ((object?)(long)i, e));
            case long count:
                return Enumerable.Range(0, (int)Math.Clamp(count, 0, MaxSteps)).Select(i => ((object?)(long)i, (object?)(long)i));
            default:
                throw Failed(range.Pipe, $"range can't iterate over {TemplateValue.Text(over)}");
        }
    }

    private void SetRangeVariables(PipeNode pipe, object? key, object? element)
    {
        switch (pipe.Variables.Count)
        {
            case 1:
                SetVariable(pipe, pipe.Variables[0], element);
                break;
            case 2:
                SetVariable(pipe, pipe.Variables[0], key);
                SetVariable(pipe, pipe.Variables[1], element);
                break;
        }
    }

    private void SetVariable(PipeNode pipe, string name, object? value)
    {
        if (pipe.IsAssignment)
        {
            variables[variables.FindLastIndex(v => v.Name == name)] = (name, value);
        }
        else
        {
            variables.Add((name, value));
        }
    }

    private async ValueTask CallNestedAsync(string name, object? data, CallNode? at)
    {
        if (!template.Definitions.TryGetValue(name, out var body))
        {
            throw at is null ? new TemplateFault($"template \"{name}\" not defined") : Failed(at, $"template {LabelsText.Quote(name)} not defined");
        }

        if (++depth > MaxCallDepth)
        {
            throw at is null ? new TemplateFault("exceeded maximum template depth") : Failed(at, $"exceeded maximum template depth ({MaxCallDepth})");
        }

        var outer = variables.ToArray();
        var outerName = executing;
        variables.Clear();
        variables.Add(("$", data));
        executing = name;
        await WalkAsync(body, data);
        executing = outerName;
        variables.Clear();
        variables.AddRange(outer);
        depth--;
    }

    private async ValueTask<object?> PipeAsync(PipeNode pipe, object? dot, bool declares = true)
    {
        object? value = null;
        for (var i = 0; i < pipe.Commands.Count; i++)
        {
            value = await CommandAsync(pipe.Commands[i], dot, value, hasPiped: i > 0);
        }

        if (declares)
        {
            foreach (var variable in pipe.Variables)
            {
                SetVariable(pipe, variable, value);
            }
        }

        return value;
    }

    private async ValueTask<object?> CommandAsync(CommandNode command, object? dot, object? piped, bool hasPiped)
    {
        CountStep(command);
        var first = command.Operands[0];
        if (first is FunctionOperand function)
        {
            return await FunctionAsync(function.Name, command, dot, piped, hasPiped);
        }

        if (command.Operands.Count == 1 && !hasPiped)
        {
            return await OperandAsync(first, dot);
        }

        // Only a method takes arguments, and it stands last in a chain of fields.
        var (receiver, fields) = await ReceiverAsync(first, dot);
        if (fields.Count == 0)
        {
            throw Failed(command, $"can't give argument to non-function {first}");
        }

        var arguments = await ArgumentsAsync(command, dot, piped, hasPiped);
        var value = FieldsOf(receiver, fields.Take(fields.Count - 1), first);
        try
        {
            return TemplateMethods.TryCall(value, fields[^1], arguments, out var result)
                ? result
                : throw new TemplateFault($"{fields[^1]} is not a method but has arguments");
        }
        catch (TemplateFault e)
        {
            throw Failed(first, e.Message, e);
        }
    }

    private async ValueTask<object?[]> ArgumentsAsync(CommandNode command, object? dot, object? piped, bool hasPiped)
    {
        var arguments = new object?[command.Operands.Count - 1 + (hasPiped ? 1 : 0)];
        for (var i = 1; i < command.Operands.Count; i++)
        {
            arguments[i - 1] = await OperandAsync(command.Operands[i], dot);
        }

        if (hasPiped)
        {
            arguments[^1] = piped;
        }

        return arguments;
    }

    private async ValueTask<object?> FunctionAsync(string name, CommandNode command, object? dot, object? piped, bool hasPiped)
    {
        var function = TemplateFunctions.Find(name)!;
        var count = command.Operands.Count - 1 + (hasPiped ? 1 : 0);
        if (count < function.MinArguments || count > function.MaxArguments)
        {
            throw Failed(command, function.MaxArguments == int.MaxValue
                ? $"wrong number of args for {name}: want at least {function.MinArguments} got {count}"
                : $"wrong number of args for {name}: want {function.MinArguments} got {count}");
        }

        if (name is "and" or "or")
        {
            return await ShortCircuitAsync(name == "or", command, dot, piped, hasPiped);
        }

        var arguments = await ArgumentsAsync(command, dot, piped, hasPiped);
        try
        {
            return await function.Invoke(new TemplateCall(this, arguments));
        }
        catch (Exception e) when (e is TemplateFault or FormatException or PromQL.QueryException or RuleQueryException or PromQL.Parsing.PromQLParseException)
        {
            throw Failed(command, e is TemplateArgumentFault ? e.Message : $"error calling {name}: {e.Message}", e);
        }
    }

    private async ValueTask<object?> ShortCircuitAsync(bool stopsAt, CommandNode command, object? dot, object? piped, bool hasPiped)
    {
        object? value = null;
        for (var i = 1; i < command.Operands.Count; i++)
        {
            value = await OperandAsync(command.Operands[i], dot);
            if (TemplateValue.IsTrue(value) == stopsAt)
            {
                return value;
            }
        }

        return hasPiped ? piped : value;
    }

    private async ValueTask<object?> OperandAsync(OperandNode operand, object? dot)
    {
        CountStep(operand);
        switch (operand)
        {
            case ConstantOperand constant:
                return constant.Value;
            case FunctionOperand function:
                return await FunctionAsync(function.Name, new CommandNode([function], function.Position), dot, null, hasPiped: false);
            case PipeOperand pipe:
                return await PipeAsync(pipe.Pipe, dot);
            default:
                var (receiver, fields) = await ReceiverAsync(operand, dot);
                return FieldsOf(receiver, fields, operand);
        }
    }

    private async ValueTask<(object? Receiver, IReadOnlyList<string> Fields)> ReceiverAsync(OperandNode operand, object? dot) => operand switch
    {
        FieldOperand field => (dot, field.Fields),
        VariableOperand variable => (variables[variables.FindLastIndex(v => v.Name == variable.Name)].Value, variable.Fields),
        ChainOperand chain => (await OperandAsync(chain.Inner, dot), chain.Fields),
        _ => (await OperandAsync(operand, dot), []),
    };

    private object? FieldsOf(object? value, IEnumerable<string> fields, OperandNode at)
    {
        try
        {
            foreach (var field in fields)
            {
                value = TemplateMethods.TryCall(value, field, [], out var result) ? result : TemplateValue.Field(value, field);
            }

            return value;
        }
        catch (TemplateFault e)
        {
            throw Failed(at, e.Message, e);
        }
    }

    private string Printed(object? value, PipeNode at)
    {
        try
        {
            return TemplateValue.Text(value);
        }
        catch (TemplateFault e)
        {
            throw Failed(at, e.Message, e);
        }
    }

    private void Write(string text, TemplateNode at)
    {
        if (output.Length + text.Length > MaxOutputChars)
        {
            throw Failed(at, $"text is longer than {MaxOutputChars} characters");
        }

        output.Append(text);
    }

    private void CountStep(TemplateNode at)
    {
        if (++steps > MaxSteps)
        {
            throw Failed(at, $"more than {MaxSteps} steps");
        }

        cancellation.ThrowIfCancellationRequested();
    }

    private TemplateException Failed(TemplateNode at, string message, Exception? cause = null)
    {
        var source = template.Source.AsSpan(0, Math.Min(at.Position, template.Source.Length));
        var line = 1 + source.Count('\n');
        var column = Encoding.UTF8.GetByteCount(source[(source.LastIndexOf('\n') + 1)..]);
        var shown = at is TextNode ? "text" : at is ActionNode action ? action.Pipe.ToString() : at is BranchNode branch ? branch.Pipe.ToString() : at.ToString();
        return new TemplateException($"template: {template.Name}:{line}:{column}: executing {LabelsText.Quote(executing)} at <{shown}>: {message}", cause);
    }
}
