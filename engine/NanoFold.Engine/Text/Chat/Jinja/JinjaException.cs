namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>A template cannot be read, or fails. The kinds are named as the reference implementation names its exceptions.</summary>
/// <param name="kind">What it is.</param>
/// <param name="message">What is wrong.</param>
internal sealed class JinjaException(string kind, string message) : Exception(message)
{
    public const string TypeKind = "TypeError";
    public const string UndefinedKind = "UndefinedError";
    public const string SecurityKind = "SecurityError";
    public const string SyntaxKind = "TemplateSyntaxError";
    public const string AssertionKind = "TemplateAssertionError";
    public const string RuntimeKind = "TemplateRuntimeError";
    public const string RaisedKind = "TemplateError";
    public const string ArgumentKind = "FilterArgumentError";
    public const string ValueKind = "ValueError";
    public const string ZeroKind = "ZeroDivisionError";
    public const string OverflowKind = "OverflowError";
    public const string UnsupportedKind = "Unsupported";
    public const string LimitKind = "LimitError";

    /// <summary>What it is.</summary>
    public string Kind { get; } = kind;

    /// <summary>The line of the template, from 1; 0 where it is not known yet.</summary>
    public int Line { get; set; }

    public static JinjaException Type(string message) => new(TypeKind, message);

    public static JinjaException Value(string message) => new(ValueKind, message);

    public static JinjaException Unsupported(string what) => new(UnsupportedKind, $"{what} is not supported");

    public static JinjaException TooDeep() => new(LimitKind, "is nested too deeply");

    public static JinjaException Syntax(int line, string message, string kind = SyntaxKind) => new(kind, message) { Line = line };
}
