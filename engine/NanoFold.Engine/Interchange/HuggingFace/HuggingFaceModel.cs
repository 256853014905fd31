using System.Text.Json.Nodes;
using NanoFold.Engine.Interchange.HuggingFace.Architectures;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Interchange.HuggingFace;

/// <summary>A folder of transformers, open.</summary>
internal sealed class HuggingFaceModel : ForeignModel
{
    private const string LongestKey = "max_position_embeddings";

    private readonly Architecture _architecture;
    private readonly JsonObject _keys;
    private readonly ITensorFiles _files;
    private readonly Lazy<Tokenizer?> _tokenizer;

    private HuggingFaceModel(string path, Architecture architecture, JsonObject keys, ModelConfig config, ITensorFiles files, RuledWeights weights, IReadOnlyList<string> ignored)
    {
        (Path, Config, Weights, Ignored, _architecture, _keys, _files) = (path, config, weights, ignored, architecture, keys, files);
        Format = $"Hugging Face {architecture.Name}";
        _tokenizer = new(() => HasTokenizer(path) ? Tokenizer.Load(path) : null);
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
    public override IReadOnlyList<string> Ignored { get; }

    /// <inheritdoc/>
    public override IWeights Weights { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Files => _files.Paths;

    /// <summary>Opens a folder: configuration, headers of the files, names and shapes are checked; no value is read.</summary>
    /// <exception cref="UserException">Something in it is damaged or not supported.</exception>
    public static HuggingFaceModel Open(string path)
    {
        string file = System.IO.Path.Combine(path, HuggingFaceFormat.ConfigFile);
        JsonObject tree = LenientJson.Load(file);
        var keys = new ForeignConfig(file, tree);
        Architecture architecture = Architecture.Of(keys);
        ModelConfig config = Checked(architecture.Read(keys), file);
        IEnumerable<string> ignored = keys.LeftOver();
        if (keys.Integer(LongestKey, 0) is var longest && longest > config.Context)
        {
            ignored = ignored.Append($"{LongestKey} = {longest} (model.context is {config.Context}; import --context sets it)");
        }

        ITensorFiles files = SafeTensorFiles.Open(path);
        try
        {
            ITensorFiles named = Prefixed(files, architecture.Prefix);
            var weights = new RuledWeights(named, architecture.Tensors(config), architecture.LeftOut(config));
            return new HuggingFaceModel(path, architecture, tree, config, files, weights, [.. ignored, .. weights.LeftOut]);
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override ModelConfig ConfigFor(int context)
    {
        string file = System.IO.Path.Combine(Path, HuggingFaceFormat.ConfigFile);
        return Checked(_architecture.Read(new ForeignConfig(file, _keys) { Context = context }), file);
    }

    /// <inheritdoc/>
    public override void Dispose() => _files.Dispose();

    // Some files hold the model without its head, and name its tensors without the part in front.
    private static ITensorFiles Prefixed(ITensorFiles files, string prefix) =>
        prefix.Length > 0 && !files.Tensors.Any(tensor => tensor.Name.StartsWith(prefix, StringComparison.Ordinal)) ? new PrefixedFiles(files, prefix) : files;

    private static bool HasTokenizer(string path) => new[] { Tokenizer.FileName, "tokenizer.model", "vocab.json" }.Any(name => File.Exists(System.IO.Path.Combine(path, name)));

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
