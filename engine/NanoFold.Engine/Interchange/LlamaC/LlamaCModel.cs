using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Interchange.Gguf.Architectures;
using NanoFold.Engine.Interchange.HuggingFace.Architectures;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Interchange.LlamaC;

/// <summary>Opens models of llama2.c or llm.c: one file of numbers. Names and layouts are those that llama.cpp has for the same model.</summary>
internal static class LlamaCModel
{
    /// <summary>The model of tensors and of what they are.</summary>
    /// <param name="path">The file.</param>
    /// <param name="format">For people.</param>
    /// <param name="keys">As transformers would have them.</param>
    /// <param name="names">Which names the tensors have.</param>
    /// <param name="files">The tensors; disposed of where this fails.</param>
    /// <param name="tokenizer">Makes the tokenizer, or null.</param>
    /// <exception cref="UserException">The sizes make no model here.</exception>
    public static ForeignModel Open(string path, string format, JsonObject keys, GgufArchitecture names, PlainTensors files, Func<Tokenizer?> tokenizer)
    {
        try
        {
            var published = new PublishedKeys(path, keys);
            (Architecture architecture, ModelConfig config, _) = published.Read();
            var weights = new RuledWeights(files, architecture.Tensors(config).Select(rule => names.Rule(rule, files, config)), new NameGlobs(format, []));
            return new ForeignModel(files, published, tokenizer) { Path = path, Format = format, Config = config, Ignored = [], Weights = weights };
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }
}
