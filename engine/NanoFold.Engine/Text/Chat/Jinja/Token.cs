namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>What a token is.</summary>
internal enum TokenKind
{
    /// <summary>Text of the template.</summary>
    Data,

    /// <summary>Two braces.</summary>
    PrintBegin,

    PrintEnd,

    /// <summary>A brace and a percent sign.</summary>
    BlockBegin,

    BlockEnd,

    Name,

    Text,

    Number,

    /// <summary>A sign, such as <c>|</c> or <c>==</c>.</summary>
    Sign,

    /// <summary>The end of the template.</summary>
    End,
}

/// <summary>A token of a template.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">Its name, sign or text.</param>
/// <param name="Line">Where it stands, from 1.</param>
/// <param name="Value">Of a number.</param>
internal readonly record struct Token(TokenKind Kind, string Text, int Line, object? Value = null)
{
    public bool IsName(string name) => Kind == TokenKind.Name && Text == name;

    public bool IsSign(string sign) => Kind == TokenKind.Sign && Text == sign;

    public override string ToString() => Kind switch
    {
        TokenKind.End => "end of template",
        TokenKind.BlockEnd => "end of statement block",
        TokenKind.PrintEnd => "end of print statement",
        _ => Text,
    };
}
