namespace Metrics.Rules.Templates;

/// <summary>Parses Go's text/template language. Functions and variables must exist; nesting is bounded.</summary>
internal sealed partial class TemplateParser
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
}
