using NanoFold.Engine.Configuration;
using NanoFold.Engine.Interchange.HuggingFace.Architectures;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules.Adapters;

namespace NanoFold.Engine.Interchange.Peft;

/// <summary>
/// An adapter of the library peft, open: the base with the adapters that it puts around layers, and its values under our names. Of LoRA all that the library saves is read:
/// ranks and alphas by pattern, rsLoRA, DoRA, biases, vectors of tokens, whole modules (<c>modules_to_save</c>), matrices that the base keeps joined or transposed.
/// </summary>
public sealed class PeftAdapter : IDisposable
{
    private const string Down = ".lora_A.weight", Up = ".lora_B.weight", UpBias = ".lora_B.bias", Magnitude = $".{LoraConfig.Magnitude}";
    private const string EmbeddingDown = ".lora_embedding_A", EmbeddingUp = ".lora_embedding_B", BaseLayer = ".base_layer.";

    private static readonly string[] s_ends = [Down, Up, UpBias, Magnitude, EmbeddingDown, EmbeddingUp];

    private readonly PeftFiles _files;

    private PeftAdapter(string path, PeftFiles files, ModelConfig config, IWeights weights, IReadOnlyList<string> replaced)
        => (Path, _files, Config, Weights, Replaced) = (path, files, config, weights, replaced);

    /// <summary>The folder, as it was named.</summary>
    public string Path { get; }

    /// <summary>The base with its adapters.</summary>
    public ModelConfig Config { get; }

    /// <summary>The values that are not the base's, under our names.</summary>
    public IWeights Weights { get; }

    /// <summary>The names of parameters that it replaces as a whole, which are trained with it: biases, whole modules.</summary>
    public IReadOnlyList<string> Replaced { get; }

    /// <summary>The file of its values.</summary>
    public string File => _files.Paths[0];

    /// <summary>Opens it: names and shapes are held against the base, no value is read.</summary>
    /// <param name="folder">Where it lies.</param>
    /// <param name="model">The base, resolved, without adapters of its own.</param>
    /// <param name="baseName">What messages call the base.</param>
    /// <param name="architecture">The base's <c>model_type</c>; null where it is ours, or a file that names none.</param>
    /// <exception cref="UserException">It is damaged, not supported, or of another model.</exception>
    public static PeftAdapter Open(string folder, ModelConfig model, string baseName, string? architecture = null)
    {
        PeftConfig config = PeftConfig.Read(System.IO.Path.Combine(folder, PeftFolder.ConfigFile));
        PeftFiles files = PeftFiles.Open(folder);
        try
        {
            // A head of its own beside an embedding that was the head.
            bool unties = model.Tied && files.Find("lm_head.weight") is not null;
            model = unties ? model with { Tied = false } : model;
            Architecture? own = architecture is null ? null : Architecture.All.FirstOrDefault(one => one.Name == architecture);
            PeftModules modules = Choose(files, PeftModules.Of(model, own), baseName);
            return new Reader(folder, files, config, modules, model).Read();
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _files.Dispose();

    // The names of the base that all tensors of the adapter are of.
    private static PeftModules Choose(PeftFiles files, IEnumerable<PeftModules> ways, string baseName)
    {
        UserException? first = null;
        foreach (PeftModules modules in ways)
        {
            if (files.Tensors.Select(tensor => tensor.Name).FirstOrDefault(name => modules.OfTensor(BaseTensor(name)).Count == 0) is not { } missing)
            {
                return modules;
            }

            first ??= new UserException($"{files.Paths[0]}: holds '{missing}', and {baseName} has no {PeftModules.ModuleOf(BaseTensor(missing))}: the adapter is of another model");
        }

        throw first!;
    }

    // The tensor of the base that a tensor of the adapter stands beside or in place of.
    private static string BaseTensor(string name) => Array.Find(s_ends, end => name.EndsWith(end, StringComparison.Ordinal)) is { } found
        ? $"{name[..^found.Length]}.weight"
        : name.Replace(BaseLayer, ".", StringComparison.Ordinal);

    private sealed class Reader(string folder, PeftFiles files, PeftConfig config, PeftModules modules, ModelConfig model)
    {
        private readonly List<TensorRule> _rules = [];
        private readonly List<string> _replaced = [];
        private readonly Dictionary<LoraConfig, List<string>> _groups = [];

        public PeftAdapter Read()
        {
            foreach (TensorEntry tensor in files.Tensors.OrderBy(tensor => tensor.Name, StringComparer.Ordinal))
            {
                if (tensor.Name.EndsWith(Down, StringComparison.Ordinal))
                {
                    AddLinear(tensor.Name[..^Down.Length], tensor);
                }
                else if (tensor.Name.EndsWith(EmbeddingDown, StringComparison.Ordinal))
                {
                    AddEmbedding(tensor.Name[..^EmbeddingDown.Length], tensor);
                }
                else if (!Array.Exists(s_ends, end => tensor.Name.EndsWith(end, StringComparison.Ordinal)))
                {
                    AddWhole(tensor.Name);
                }
            }

            if (_groups.Count == 0)
            {
                throw new UserException($"{files.Paths[0]}: holds no matrices of LoRA");
            }

            IEnumerable<LoraConfig> adapters = _groups.Select(group => group.Key with { Targets = modules.Targets(group.Value) });
            return new PeftAdapter(
                folder, files, model with { Adapters = [.. adapters] }, new RuledWeights(files, _rules.DistinctBy(rule => rule.Ours), new NameGlobs(PeftFolder.WeightsFile, [])), _replaced);
        }

        private void AddLinear(string module, TensorEntry down)
        {
            IReadOnlyList<TensorRule> matrices = modules.OfModule(module);
            int rank = RankOf(module, down);
            bool shares = matrices.Count > 1;
            foreach (TensorRule matrix in matrices)
            {
                bool isStack = matrix.Shape.Count > 2;
                if (matrix.Shape.Count < 2 || (matrix.Parts.Count > 1 && !isStack) || (isStack && (shares || config.Dora || config.Bias)))
                {
                    throw new UserException($"{files.Paths[0]}: has an adapter around {module}, which is a kind of layer that takes none here");
                }

                _rules.AddRange([PeftModules.Down(matrix, rank, shares), PeftModules.Up(matrix, rank)]);
                _rules.AddRange(config.Bias ? [PeftModules.OfRows(matrix, "lora_B.bias")] : []);
                _rules.AddRange(config.Dora ? [PeftModules.OfRows(matrix, LoraConfig.Magnitude)] : []);
                AddTo(new LoraConfig { Rank = rank, SharesA = shares, Dora = config.Dora, Bias = config.Bias }, module, PeftModules.LayerOf(matrix));
            }
        }

        private void AddEmbedding(string module, TensorEntry down)
        {
            if (modules.OfModule(module) is not [{ Shape.Count: 2, Parts.Count: 1 } table] || config.Dora || config.Bias)
            {
                throw new UserException($"{files.Paths[0]}: has an adapter around {module}, which takes none of this kind here");
            }

            int rank = RankOf(module, down);
            _rules.AddRange(PeftModules.OfEmbedding(table, rank));
            AddTo(new LoraConfig { Rank = rank }, module, PeftModules.LayerOf(table));
        }

        // A tensor in place of the base's, under the name that it has in the file.
        private void AddWhole(string name)
        {
            string theirs = name.Replace(BaseLayer, ".", StringComparison.Ordinal);
            foreach (TensorRule rule in modules.OfTensor(theirs))
            {
                _rules.Add(rule with { Parts = [.. rule.Parts.Select(part => part with { Theirs = part.Theirs == theirs ? name : part.Theirs })] });
                // The matrix that an adapter is around stays as it is.
                if (!name.EndsWith(".base_layer.weight", StringComparison.Ordinal))
                {
                    _replaced.Add(rule.Ours);
                }
            }
        }

        private void AddTo(LoraConfig kind, string module, string layer)
        {
            kind = kind with { Alpha = config.AlphaOf(module), Dropout = config.Dropout, RankStabilized = config.RankStabilized, Targets = [] };
            if (!_groups.TryGetValue(kind, out List<string>? layers))
            {
                _groups.Add(kind, layers = []);
            }

            if (!layers.Contains(layer))
            {
                layers.Add(layer);
            }
        }

        private int RankOf(string module, TensorEntry down)
        {
            double said = config.RankOf(module);
            return down.Shape is [var rank, _] && rank == said
                ? (int)rank
                : throw new UserException(FormattableString.Invariant($"{down.File}: '{down.Name}' is [{string.Join(", ", down.Shape)}]; {PeftFolder.ConfigFile} says rank {said}"));
        }
    }
}
