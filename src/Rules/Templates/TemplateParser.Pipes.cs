using System.Globalization;

namespace Metrics.Rules.Templates;

/// <summary>Pipelines: commands, operands and constants.</summary>
internal sealed partial class TemplateParser
{
    /// <summary>Reads a pipeline and the delimiter (or, when <paramref name="isParen"/>, the parenthesis) that ends it.</summary>
    private PipeNode ReadPipe(string context, int position, bool isParen = false)
    {
        var declared = new List<string>();
        var isAssignment = false;
        SkipSpace();
        if (Peek.Kind == TokenKind.Variable)
        {
            ReadDeclarations(context, declared, ref isAssignment);
        }

        var commands = new List<CommandNode>();
        while (true)
        {
            var token = PeekPastSpace;
            if (token.Kind == (isParen ? TokenKind.RightParen : TokenKind.RightDelimiter))
            {
                next++;
                CheckPipe(commands, context, token.Position);
                variables.AddRange(isAssignment ? [] : declared);
                return new PipeNode(declared, isAssignment, commands, position);
            }

            if (token.Kind is TokenKind.RightParen or TokenKind.RightDelimiter or TokenKind.End or TokenKind.Pipe or TokenKind.Comma or TokenKind.Assign or TokenKind.Declare)
            {
                throw Unexpected(token, context);
            }

            commands.Add(ReadCommand());
        }
    }

    private void ReadDeclarations(string context, List<string> declared, ref bool isAssignment)
    {
        // Whether this declares is known only after looking past the blanks.
        var start = next;
        while (true)
        {
            var variable = Take();
            var operation = PeekPastSpace;
            if (operation.Kind is TokenKind.Declare or TokenKind.Assign)
            {
                next++;
                declared.Add(variable.Text);
                isAssignment = operation.Kind == TokenKind.Assign;
                foreach (var assigned in isAssignment ? declared : [])
                {
                    CheckVariable(assigned, variable.Position);
                }

                return;
            }

            if (operation.Kind == TokenKind.Comma && context == "range" && declared.Count == 0)
            {
                next++;
                declared.Add(variable.Text);
                if (PeekPastSpace.Kind == TokenKind.Variable)
                {
                    continue;
                }

                throw Error("range can only initialize variables", operation.Position);
            }

            if (operation.Kind == TokenKind.Comma)
            {
                throw Error($"too many declarations in {context}", operation.Position);
            }

            declared.Clear();
            next = start;
            return;
        }
    }

    private void CheckPipe(List<CommandNode> commands, string context, int position)
    {
        if (commands.Count == 0)
        {
            throw Error($"missing value for {context}", position);
        }

        for (var i = 1; i < commands.Count; i++)
        {
            if (commands[i].Operands[0] is ConstantOperand or FieldOperand { Fields.Count: 0 })
            {
                throw Error($"non executable command in pipeline stage {i + 1}", commands[i].Position);
            }
        }
    }

    private CommandNode ReadCommand()
    {
        var operands = new List<OperandNode>();
        var position = Peek.Position;
        while (true)
        {
            SkipSpace();
            if (ReadOperand() is { } operand)
            {
                operands.Add(operand);
            }

            var token = Peek;
            switch (token.Kind)
            {
                case TokenKind.Space:
                    next++;
                    continue;
                case TokenKind.RightDelimiter or TokenKind.RightParen:
                    break;
                case TokenKind.Pipe:
                    next++;
                    if (PeekPastSpace.Kind is TokenKind.RightDelimiter or TokenKind.RightParen or TokenKind.Pipe)
                    {
                        throw Error("missing value for command", token.Position);
                    }

                    break;
                default:
                    throw Unexpected(token, "operand");
            }

            return operands.Count > 0 ? new CommandNode(operands, position) : throw Error("empty command", position);
        }
    }

    private OperandNode? ReadOperand()
    {
        if (ReadTerm() is not { } term)
        {
            return null;
        }

        if (Peek.Kind != TokenKind.Field)
        {
            return term;
        }

        var fields = new List<string>();
        var position = Peek.Position;
        while (Peek.Kind == TokenKind.Field)
        {
            fields.Add(Take().Text[1..]);
        }

        return term switch
        {
            FieldOperand { Fields.Count: > 0 } field => new FieldOperand([.. field.Fields, .. fields], field.Position),
            VariableOperand variable => new VariableOperand(variable.Name, fields, variable.Position),
            ConstantOperand or FieldOperand => throw Error($"unexpected . after term \"{term}\"", position),
            _ => new ChainOperand(term, fields, position),
        };
    }

    private OperandNode? ReadTerm()
    {
        var token = Peek;
        switch (token.Kind)
        {
            case TokenKind.Identifier:
                next++;
                return token.Text switch
                {
                    "true" or "false" => new ConstantOperand(token.Text == "true", token.Text, token.Position),
                    "nil" => new ConstantOperand(null, "nil", token.Position),
                    _ when TemplateFunctions.Find(token.Text) is not null => new FunctionOperand(token.Text, token.Position),
                    _ => throw Error($"function \"{token.Text}\" not defined", token.Position),
                };
            case TokenKind.Dot:
                next++;
                return new FieldOperand([], token.Position);
            case TokenKind.Variable:
                next++;
                CheckVariable(token.Text, token.Position);
                return new VariableOperand(token.Text, [], token.Position);
            case TokenKind.Field:
                next++;
                return new FieldOperand([token.Text[1..]], token.Position);
            case TokenKind.Number:
                next++;
                return new ConstantOperand(Number(token), token.Text, token.Position);
            case TokenKind.Character:
                next++;
                return new ConstantOperand(CharacterOf(token), token.Text, token.Position);
            case TokenKind.String or TokenKind.RawString:
                next++;
                return new ConstantOperand(Unquote(token), token.Text, token.Position);
            case TokenKind.LeftParen:
                next++;
                Enter(token.Position);
                var pipe = ReadPipe("parenthesized pipeline", token.Position, isParen: true);
                depth--;
                return new PipeOperand(pipe, token.Position);
            default:
                return null;
        }
    }

    private void CheckVariable(string variable, int position)
    {
        if (!variables.Contains(variable))
        {
            throw Error($"undefined variable \"{variable}\"", position);
        }
    }

    private TemplateException Unexpected(TemplateToken token, string context)
    {
        var shown = token.Kind switch
        {
            TokenKind.End => "EOF",
            TokenKind.RightDelimiter => "\"}}\"",
            TokenKind.Identifier or TokenKind.Field or TokenKind.Variable or TokenKind.Number => $"<{token.Text}>",
            _ => $"\"{token.Text.Replace("\"", "\\\"")}\"",
        };
        return Error($"unexpected {shown} in {context}", token.Position);
    }

    private object Number(TemplateToken token)
    {
        var text = token.Text.Contains('_') ? token.Text.Replace("_", "") : token.Text;
        var digits = text.TrimStart('+', '-');
        var isNegative = text[0] == '-';
        if (digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            && long.TryParse(digits.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var hex))
        {
            return isNegative ? -hex : hex;
        }

        if (digits.Length > 1 && digits[0] == '0' && digits.All(static c => c is (>= '0' and <= '7') or 'o' or 'O' or 'b' or 'B'))
        {
            try
            {
                var (from, numberBase) = digits[1] is 'o' or 'O' ? (2, 8) : digits[1] is 'b' or 'B' ? (2, 2) : (1, 8);
                var value = Convert.ToInt64(digits[from..], numberBase);
                return isNegative ? -value : value;
            }
            catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
            {
                throw Error($"bad number syntax: \"{token.Text}\"", token.Position);
            }
        }

        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole))
        {
            return whole;
        }

        return digits.All(static c => char.IsAsciiDigit(c) || c is '.' or 'e' or 'E' or '+' or '-') && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
            ? number
            : throw Error($"bad number syntax: \"{token.Text}\"", token.Position);
    }

    private long CharacterOf(TemplateToken token)
    {
        var text = GoQuoted.Unquote(token.Text) ?? throw Error($"malformed character constant: {token.Text}", token.Position);
        var runes = text.EnumerateRunes().ToArray();
        return runes.Length == 1 ? runes[0].Value : throw Error($"malformed character constant: {token.Text}", token.Position);
    }

    private string Unquote(TemplateToken token) => token.Kind == TokenKind.RawString
        ? token.Text[1..^1]
        : GoQuoted.Unquote(token.Text) ?? throw Error("invalid syntax", token.Position);
}
