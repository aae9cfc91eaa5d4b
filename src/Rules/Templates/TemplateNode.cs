using System.Text;

namespace Metrics.Rules.Templates;

/// <summary>A piece of a parsed template; <paramref name="Position"/> is its index in the source.</summary>
internal abstract record TemplateNode(int Position);

/// <summary>Literal text.</summary>
internal sealed record TextNode(string Text, int Position) : TemplateNode(Position);

/// <summary><c>{{pipeline}}</c>.</summary>
internal sealed record ActionNode(PipeNode Pipe, int Position) : TemplateNode(Position);

/// <summary><c>if</c>, <c>with</c> or <c>range</c>.</summary>
internal sealed record BranchNode(BranchKind Kind, PipeNode Pipe, IReadOnlyList<TemplateNode> Body, IReadOnlyList<TemplateNode>? Else, int Position) : TemplateNode(Position);

/// <summary>Which branch.</summary>
internal enum BranchKind
{
    If,
    With,
    Range,
}

/// <summary><c>{{template "name" pipeline}}</c>.</summary>
internal sealed record CallNode(string Name, PipeNode? Pipe, int Position) : TemplateNode(Position)
{
    public override string ToString() => $"{{{{template {Metrics.Model.LabelsText.Quote(Name)}{(Pipe is null ? "" : " " + Pipe)}}}}}";
}

/// <summary><c>{{break}}</c> or <c>{{continue}}</c>.</summary>
internal sealed record JumpNode(bool IsBreak, int Position) : TemplateNode(Position);

/// <summary>An expression: commands whose results flow from one to the next, and the variables that take the last one.</summary>
internal sealed record PipeNode(IReadOnlyList<string> Variables, bool IsAssignment, IReadOnlyList<CommandNode> Commands, int Position) : TemplateNode(Position)
{
    public override string ToString()
    {
        var text = new StringBuilder(string.Join(", ", Variables));
        if (Variables.Count > 0)
        {
            text.Append(IsAssignment ? " = " : " := ");
        }

        return text.AppendJoin(" | ", Commands).ToString();
    }
}

/// <summary>A function with its arguments, or one operand.</summary>
internal sealed record CommandNode(IReadOnlyList<OperandNode> Operands, int Position) : TemplateNode(Position)
{
    public override string ToString() => string.Join(' ', Operands.Select(o => o is PipeOperand ? $"({o})" : o.ToString()));
}

/// <summary>An operand of a command.</summary>
internal abstract record OperandNode(int Position) : TemplateNode(Position);

/// <summary>The name of a function.</summary>
internal sealed record FunctionOperand(string Name, int Position) : OperandNode(Position)
{
    public override string ToString() => Name;
}

/// <summary><c>$x.a.b</c>; the name has its dollar.</summary>
internal sealed record VariableOperand(string Name, IReadOnlyList<string> Fields, int Position) : OperandNode(Position)
{
    public override string ToString() => Fields.Count == 0 ? Name : Name + "." + string.Join('.', Fields);
}

/// <summary><c>.a.b</c>; no fields is the dot.</summary>
internal sealed record FieldOperand(IReadOnlyList<string> Fields, int Position) : OperandNode(Position)
{
    public override string ToString() => "." + string.Join('.', Fields);
}

/// <summary><c>(pipeline).a.b</c>, or a function's result and its fields.</summary>
internal sealed record ChainOperand(OperandNode Inner, IReadOnlyList<string> Fields, int Position) : OperandNode(Position)
{
    public override string ToString() => (Inner is PipeOperand ? $"({Inner})" : Inner.ToString()) + "." + string.Join('.', Fields);
}

/// <summary>A pipeline in parentheses.</summary>
internal sealed record PipeOperand(PipeNode Pipe, int Position) : OperandNode(Position)
{
    public override string ToString() => Pipe.ToString();
}

/// <summary>A bool, number, string or <c>nil</c>, with the text it was written as.</summary>
internal sealed record ConstantOperand(object? Value, string Text, int Position) : OperandNode(Position)
{
    public override string ToString() => Text;
}
