using NanoFold.Engine.Interchange.Gguf;
using NanoFold.Engine.Interchange.HuggingFace;
using NanoFold.Engine.Interchange.LlamaC;

namespace NanoFold.Engine.Interchange;

/// <summary>A kind of file or folder that models of other programs come in. A format is a class with a line here.</summary>
internal abstract class ForeignFormat
{
    /// <summary>All that are known, the surest first.</summary>
    public static IReadOnlyList<ForeignFormat> All { get; } =
    [
        new GgufFormat(),
        new HuggingFaceFormat(),
        new LlmCFormat(),
        new Llama2CFormat(),
    ];

    /// <summary>Whether what lies at a path is of this format, as far as that can be seen at once.</summary>
    public abstract bool Matches(string path);

    /// <summary>Opens it.</summary>
    /// <exception cref="UserException">It is damaged or not supported; says what and why.</exception>
    public abstract ForeignModel Open(string path);
}
