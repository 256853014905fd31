using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Interchange.Gguf.Architectures;
using NanoFold.Engine.Interchange.Gguf.Blocks;
using NanoFold.Engine.Interchange.HuggingFace;
using NanoFold.Engine.Interchange.HuggingFace.Architectures;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.Gguf;

/// <summary>
/// Opens GGUF files. Their metadata are said in the keys of transformers, whose architectures make a model of them; the rules of those, with the names and layouts of llama.cpp,
/// make our parameters.
/// </summary>
internal static class GgufModel
{
    private const string Embedding = "token_embd.weight";

    /// <summary>Opens a file: metadata, records, names and shapes are checked; no value is read.</summary>
    /// <exception cref="UserException">Something in it is damaged or not supported.</exception>
    public static ForeignModel Open(string path)
    {
        GgufFile file = GgufFile.Open(path);
        try
        {
            GgufArchitecture architecture = GgufArchitecture.Of(file.Metadata);
            int vocab = Vocab(file);
            CheckSizes(file);
            JsonObject keys = architecture.Keys(file, vocab);
            GgufTokenizer.Check(file.Metadata, vocab);
            var published = new PublishedKeys(path, keys);
            (Architecture theirs, ModelConfig config, ForeignConfig foreign) = published.Read();
            foreign.LeftOver();
            IEnumerable<string> ignored = [.. file.Metadata.LeftOver(), .. PublishedKeys.LeftContext(foreign, config, file.Metadata.Full("context_length"))];
            ITensorFiles files = architecture.Files(file);
            IEnumerable<TensorRule> rules = theirs.Tensors(config).Select(rule => architecture.Rule(rule, file, config));
            var weights = new RuledWeights(files, rules, new NameGlobs(architecture.Name, [.. architecture.LeftOut, .. config.Tied ? ["output.weight"] : Array.Empty<string>()]));
            return new ForeignModel(files, published, () => GgufTokenizer.Read(file.Metadata))
            {
                Path = path, Format = $"GGUF {architecture.Name}", Config = config, Ignored = [.. ignored, .. weights.LeftOut], Weights = weights,
                ChatTemplate = GgufTokenizer.ChatTemplate(file.Metadata),
            };
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static int Vocab(GgufFile file)
    {
        TensorEntry entry = file.Find(Embedding) ?? throw new UserException($"{file.Path}: '{Embedding}' is missing");
        return entry.Shape is [> 0 and <= int.MaxValue and long rows, _] ? (int)rows : throw new UserException($"{file.Path}: {entry} is no matrix of embeddings");
    }

    // Before anything is made that is as large as a number in the file.
    private static void CheckSizes(GgufFile file)
    {
        int width = file.Metadata.Count("embedding_length", 1 << 20), blocks = file.Metadata.Count("block_count", 4096);
        TensorEntry embedding = file.Find(Embedding)!;
        if (embedding.Shape[1] != width)
        {
            throw new UserException($"{file.Path}: {embedding} has rows of {embedding.Shape[1]}, where {file.Metadata.Full("embedding_length")} is {width}");
        }

        if (file.Tensors.Count < blocks)
        {
            throw new UserException($"{file.Path}: {file.Metadata.Full("block_count")} is {blocks}, and there are only {file.Tensors.Count} tensors");
        }

        if (file.Tensors.FirstOrDefault(tensor => !tensor.IsReal) is { } unread)
        {
            throw new UserException($"{file.Path}: '{unread.Name}' is of type {unread.Type}, which is not supported; those that are: {string.Join(", ", BlockType.All.Where(type => type.Decode is not null).Select(type => type.Name))}");
        }
    }
}
