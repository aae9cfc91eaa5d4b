using System.Globalization;

namespace Metrics.Rules.Templates;

/// <summary>Parses Go's text/template language. Functions and variables must exist; nesting is bounded.</summary>
internal sealed class TemplateParser
{
    private const int MaxDepth = 100;

    private readonly string name;
    private readonly string source;
    private readonly Dictionary<string, IReadOnlyList<TemplateNode>> definitions;
    private readonly List<TemplateToken> tokens;
    private readonly List<string> variables = ["$"];
    private int next;
    private int depth;
    private int ranges;

    private TemplateParser(string name, string source, Dictionary<string, IReadOnlyList<TemplateNode>> definitions)
    {
        this.name = name;
        this.source = source;
        this.definitions = definitions;
        tokens = new TemplateLexer(source, Error).Read();
    }

    /// <summary>Parses a template; the nested ones that it defines go into <paramref name="definitions"/>.</summary>
    /// <exception cref="TemplateException">It does not parse.</exception>
    public static IReadOnlyList<TemplateNode> Parse(string name, string source, Dictionary<string, IReadOnlyList<TemplateNode>> definitions)
    {
        var parser = new TemplateParser(name, source, definitions);
        var (body, end) = parser.ReadBody(isTop: true);
        return end.Kind == TokenKind.End ? body : throw parser.Error($"unexpected {{{{{end.Text}}}}}", end.Position);
    }

    private TemplateToken Peek => tokens[next];

    private TemplateToken PeekPastSpace
    {
        get
        {
            SkipSpace();
            return tokens[next];
        }
    }

    private TemplateToken Take() => tokens[next].Kind == TokenKind.End ? tokens[next] : tokens[next++];

    private void SkipSpace()
    {
        while (tokens[next].Kind == TokenKind.Space)
        {
            next++;
        }
    }

    private TemplateException Error(string message, int position) =>
        new($"template: {name}:{1 + source.AsSpan(0, Math.Min(position, source.Length)).Count('\n')}: {message}");

    private void Enter(int position)
    {
        if (++depth > MaxDepth)
        {
            throw Error($"max expression depth {MaxDepth} exceeded", position);
        }
    }

    /// <summary>Reads until <c>end</c>, <c>else</c> or the end of the source, and gives that keyword's token.</summary>
    private (List<TemplateNode> Body, TemplateToken End) ReadBody(bool isTop = false)
    {
        var body = new List<TemplateNode>();
        while (true)
        {
            var token = Take();
            switch (token.Kind)
            {
                case TokenKind.End:
                    return isTop ? (body, token) : throw Error("unexpected EOF", token.Position);
                case TokenKind.Text:
                    body.Add(new TextNode(token.Text, token.Position));
                    continue;
            }

            var word = PeekPastSpace;
            if (word.Kind != TokenKind.Identifier)
            {
                body.Add(new ActionNode(ReadPipe("command", word.Position), word.Position));
                continue;
            }

            switch (word.Text)
            {
                case "end" or "else":
                    next++;
                    if (isTop)
                    {
                        throw Error($"unexpected {{{{{word.Text}}}}}", word.Position);
                    }

                    return (body, word);
                case "define":
                    next++;
                    ReadDefinition(isTop, word);
                    break;
                case "block":
                    next++;
                    body.Add(ReadBlock(word));
                    break;
                case "template":
                    next++;
                    body.Add(ReadCall(word));
                    break;
                case "if" or "with" or "range":
                    next++;
                    body.Add(ReadBranch(word));
                    break;
                case "break" or "continue":
                    next++;
                    body.Add(ReadJump(word));
                    break;
                default:
                    body.Add(new ActionNode(ReadPipe("command", word.Position), word.Position));
                    break;
            }
        }
    }

    private void ReadDefinition(bool isTop, TemplateToken word)
    {
        if (!isTop)
        {
            throw Error("unexpected {{define}}", word.Position);
        }

        var defined = ReadName("define clause");
        ExpectClose("define clause");
        definitions[defined] = ReadOwnScope("define clause");
    }

    private CallNode ReadBlock(TemplateToken word)
    {
        var defined = ReadName("block clause");
        var pipe = ReadPipe("block clause", word.Position);
        definitions[defined] = ReadOwnScope("block clause");
        return new CallNode(defined, pipe, word.Position);
    }

    /// <summary>The body of a nested template, which sees none of the variables around it.</summary>
    private List<TemplateNode> ReadOwnScope(string context)
    {
        var outer = variables.ToArray();
        var outerRanges = ranges;
        variables.RemoveRange(1, variables.Count - 1);
        ranges = 0;
        Enter(Peek.Position);
        var (body, end) = ReadBody();
        depth--;
        if (end.Text != "end")
        {
            throw Error($"unexpected {{{{else}}}} in {context}", end.Position);
        }

        ExpectClose("end");
        variables.Clear();
        variables.AddRange(outer);
        ranges = outerRanges;
        return body;
    }

    private CallNode ReadCall(TemplateToken word)
    {
        var called = ReadName("template clause");
        if (PeekPastSpace.Kind == TokenKind.RightDelimiter)
        {
            next++;
            return new CallNode(called, null, word.Position);
        }

        return new CallNode(called, ReadPipe("template clause", word.Position), word.Position);
    }

    private JumpNode ReadJump(TemplateToken word)
    {
        if (ranges == 0)
        {
            throw Error($"{{{{{word.Text}}}}} outside {{{{range}}}}", word.Position);
        }

        ExpectClose(word.Text);
        return new JumpNode(word.Text == "break", word.Position);
    }

    private string ReadName(string context)
    {
        var token = PeekPastSpace;
        if (token.Kind is not (TokenKind.String or TokenKind.RawString))
        {
            throw Unexpected(token, context);
        }

        next++;
        return Unquote(token);
    }

    private void ExpectClose(string context)
    {
        var token = PeekPastSpace;
        if (token.Kind != TokenKind.RightDelimiter)
        {
            throw Unexpected(token, context);
        }

        next++;
    }

    private BranchNode ReadBranch(TemplateToken word)
    {
        var kind = word.Text switch { "if" => BranchKind.If, "with" => BranchKind.With, _ => BranchKind.Range };
        Enter(word.Position);
        var scope = variables.Count;
        var pipe = ReadPipe(word.Text, word.Position);
        ranges += kind == BranchKind.Range ? 1 : 0;
        var (body, end) = ReadBody();
        ranges -= kind == BranchKind.Range ? 1 : 0;
        IReadOnlyList<TemplateNode>? otherwise = null;
        if (end.Text == "else")
        {
            otherwise = ReadElse(kind);
        }
        else
        {
            ExpectClose("end");
        }

        variables.RemoveRange(scope, variables.Count - scope);
        depth--;
        return new BranchNode(kind, pipe, body, otherwise, word.Position);
    }

    private List<TemplateNode> ReadElse(BranchKind kind)
    {
        var word = PeekPastSpace;
        if (word.Kind == TokenKind.Identifier && ((word.Text == "if" && kind == BranchKind.If) || (word.Text == "with" && kind == BranchKind.With)))
        {
            // One end closes the whole chain.
            next++;
            return [ReadBranch(word)];
        }

        ExpectClose("else");
        var (body, end) = ReadBody();
        if (end.Text != "end")
        {
            throw Error($"expected end; found {{{{else}}}}", end.Position);
        }

        ExpectClose("end");
        return body;
    }

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
