using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Interchange.Exports;

/// <summary>Files that a model of ours can be written in. A format is a class with a line here.</summary>
public abstract class ExportFormat
{
    /// <summary>All that are known.</summary>
    public static IReadOnlyList<ExportFormat> All { get; } =
    [
        new HuggingFaceExport(),
        new GgufExport(),
        new Llama2CExport(),
        new NpzExport(),
        new OnnxExport(),
        new PeftExport(),
    ];

    /// <summary>What it is called in an option.</summary>
    public abstract string Name { get; }

    /// <summary>What its numbers may be; the first if not said.</summary>
    public virtual IReadOnlyList<ExportType> Types => [ExportType.F32];

    /// <summary>Whether it is a folder; otherwise one file, perhaps with another beside it.</summary>
    public virtual bool IsFolder => false;

    /// <summary>Whether adapters are written as such; otherwise they are merged into the matrices that they are around.</summary>
    public virtual bool KeepsAdapters => false;

    /// <summary>What is to be written; nothing is written yet.</summary>
    /// <param name="model">The model.</param>
    /// <param name="type">Of the numbers, one of <see cref="Types"/>.</param>
    /// <param name="path">Where it will lie, after which files beside it are named.</param>
    /// <exception cref="UserException">A part of the model has no place in the format; names it.</exception>
    public abstract ExportedFiles Plan(OwnModel model, ExportType type, string path);
}

/// <summary>Files of a format that are ready to be written.</summary>
/// <param name="Format">For people: <c>Hugging Face llama</c>.</param>
/// <param name="Files">Of a folder all; otherwise first the file that was named, whatever its name here, then those beside it.</param>
/// <param name="Notes">What is not written, and why.</param>
public sealed record ExportedFiles(string Format, IReadOnlyList<CheckpointFile> Files, IReadOnlyList<string> Notes);

/// <summary>A model of ours that is written in the files of another program.</summary>
/// <param name="Config">Resolved, the vocabulary known.</param>
/// <param name="Tokenizer">Its tokenizer, or null.</param>
/// <param name="Weights">Its parameters and its state, in our order.</param>
/// <param name="Read">All elements of one of them, by its name; what is given is not changed.</param>
public sealed record OwnModel(ModelConfig Config, Tokenizer? Tokenizer, IReadOnlyList<WeightInfo> Weights, Func<string, float[]> Read)
{
    /// <summary>The text of its chat template; null where it has none.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>The model that it began with, by its path; null where it began with none.</summary>
    public string? Base { get; init; }

    /// <summary>The kind of model that this is by the name of transformers; null where it is ours.</summary>
    public string? BaseArchitecture { get; init; }

    /// <summary>The names of parameters that were trained on it.</summary>
    public IReadOnlySet<string> Trained { get; init; } = new HashSet<string>();
}
