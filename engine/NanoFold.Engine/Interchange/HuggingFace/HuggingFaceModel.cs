using NanoFold.Engine.Interchange.HuggingFace.Architectures;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;
using NanoFold.Engine.Text.Chat;

namespace NanoFold.Engine.Interchange.HuggingFace;

/// <summary>Opens folders of transformers.</summary>
internal static class HuggingFaceModel
{
    /// <summary>Opens a folder: configuration, headers of the files, names and shapes are checked; no value is read.</summary>
    /// <exception cref="UserException">Something in it is damaged or not supported.</exception>
    public static ForeignModel Open(string path)
    {
        string file = Path.Combine(path, HuggingFaceFormat.ConfigFile);
        var published = new PublishedKeys(file, LenientJson.Load(file));
        (Architecture architecture, ModelConfig config, ForeignConfig keys) = published.Read();
        IEnumerable<string> ignored = [.. keys.LeftOver(), .. PublishedKeys.LeftContext(keys, config)];
        ITensorFiles files = SafeTensorFiles.Open(path);
        try
        {
            var weights = new RuledWeights(Prefixed(files, architecture.Prefix), architecture.Tensors(config), architecture.LeftOut(config));
            return new ForeignModel(files, published, () => HasTokenizer(path) ? Tokenizer.Load(path) : null)
            {
                Path = path, Format = $"Hugging Face {architecture.Name}", Config = config, Ignored = [.. ignored, .. weights.LeftOut], Weights = weights,
                ChatTemplate = ChatTemplateFile.Read(path)?.Source,
            };
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    // Some files hold the model without its head, and name its tensors without the part in front.
    private static ITensorFiles Prefixed(ITensorFiles files, string prefix) =>
        prefix.Length > 0 && !files.Tensors.Any(tensor => tensor.Name.StartsWith(prefix, StringComparison.Ordinal)) ? new PrefixedFiles(files, prefix) : files;

    private static bool HasTokenizer(string path) => new[] { Tokenizer.FileName, "tokenizer.model", "vocab.json" }.Any(name => File.Exists(Path.Combine(path, name)));

    // The files, with a prefix before each name.
    private sealed class PrefixedFiles(ITensorFiles files, string prefix) : ITensorFiles
    {
        public IReadOnlyList<string> Paths => files.Paths;

        public IReadOnlyCollection<TensorEntry> Tensors { get; } = [.. files.Tensors.Select(tensor => tensor with { Name = prefix + tensor.Name })];

        public TensorEntry? Find(string name) => name.StartsWith(prefix, StringComparison.Ordinal) && files.Find(name[prefix.Length..]) is { } found ? found with { Name = name } : null;

        public void Read(string name, long start, Span<float> destination) => files.Read(name[prefix.Length..], start, destination);

        public void Dispose() => files.Dispose();
    }
}
