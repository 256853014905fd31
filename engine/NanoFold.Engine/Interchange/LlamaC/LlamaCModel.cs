using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Interchange.Gguf.Architectures;
using NanoFold.Engine.Interchange.HuggingFace;
using NanoFold.Engine.Interchange.HuggingFace.Architectures;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Interchange.LlamaC;

/// <summary>A model of llama2.c or llm.c, open: one file of numbers. Names and layouts are those that llama.cpp has for the same model.</summary>
internal sealed class LlamaCModel : ForeignModel
{
    private readonly ITensorFiles _files;
    private readonly Lazy<Tokenizer?> _tokenizer;

    private LlamaCModel(string path, string format, ModelConfig config, ITensorFiles files, Func<Tokenizer?> tokenizer, IWeights weights)
    {
        (Path, Format, Config, Weights, _files, _tokenizer) = (path, format, config, weights, files, new Lazy<Tokenizer?>(tokenizer));
    }

    /// <inheritdoc/>
    public override string Path { get; }

    /// <inheritdoc/>
    public override string Format { get; }

    /// <inheritdoc/>
    public override ModelConfig Config { get; }

    /// <inheritdoc/>
    public override Tokenizer? Tokenizer => _tokenizer.Value;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Ignored => [];

    /// <inheritdoc/>
    public override IWeights Weights { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Files => _files.Paths;

    /// <summary>The model of tensors and of what they are.</summary>
    /// <param name="path">The file.</param>
    /// <param name="format">For people.</param>
    /// <param name="keys">As transformers would have them.</param>
    /// <param name="names">Which names the tensors have.</param>
    /// <param name="files">The tensors; disposed of where this fails.</param>
    /// <param name="tokenizer">Makes the tokenizer, or null.</param>
    /// <exception cref="UserException">The sizes make no model here.</exception>
    public static LlamaCModel Open(string path, string format, JsonObject keys, GgufArchitecture names, PlainTensors files, Func<Tokenizer?> tokenizer)
    {
        try
        {
            var foreign = new ForeignConfig(path, keys);
            Architecture published = Architecture.Of(foreign);
            ModelConfig config = Checked(published.Read(foreign), path);
            var weights = new RuledWeights(files, published.Tensors(config).Select(rule => names.Rule(rule, files, config)), new NameGlobs(format, []));
            return new LlamaCModel(path, format, config, files, tokenizer, weights);
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override void Dispose() => _files.Dispose();
}
