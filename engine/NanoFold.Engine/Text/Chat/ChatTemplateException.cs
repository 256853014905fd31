namespace NanoFold.Engine.Text.Chat;

/// <summary>A chat template cannot be read, or fails with a conversation.</summary>
public sealed class ChatTemplateException : UserException
{
    /// <param name="name">Of the template.</param>
    /// <param name="line">Of the template, from 1.</param>
    /// <param name="kind">What it is, named as the exceptions of the reference implementation.</param>
    /// <param name="detail">What is wrong.</param>
    /// <param name="innerException">Where it was found.</param>
    public ChatTemplateException(string name, int line, string kind, string detail, Exception? innerException = null)
        : base(line > 0 ? $"{name}, line {line}: {detail}" : $"{name}: {detail}", innerException) => (Line, Kind, Detail) = (line, kind, detail);

    /// <summary>The line of the template, from 1; 0 where it is of none.</summary>
    public int Line { get; }

    /// <summary><c>TemplateError</c> where the template itself refuses the conversation; <c>TemplateSyntaxError</c>, <c>UndefinedError</c>, <c>TypeError</c>, <c>SecurityError</c>, <c>Unsupported</c>, …</summary>
    public string Kind { get; }

    /// <summary>What is wrong, without the place.</summary>
    public string Detail { get; }
}
