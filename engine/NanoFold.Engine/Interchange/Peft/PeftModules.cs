using NanoFold.Engine.Configuration;
using NanoFold.Engine.Interchange.HuggingFace.Architectures;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules.Adapters;

namespace NanoFold.Engine.Interchange.Peft;

/// <summary>
/// The modules of a base as the library names them, and which of our layers each one is: a module whose matrix is joined is several of ours, one of our stacks of experts is
/// several modules.
/// </summary>
internal sealed class PeftModules
{
    private const string Weight = ".weight";

    private readonly Dictionary<string, List<TensorRule>> _byTensor = new(StringComparer.Ordinal);

    private PeftModules(IEnumerable<TensorRule> rules)
    {
        Rules = [.. rules];
        foreach (TensorRule rule in Rules)
        {
            foreach (string theirs in rule.Parts.Select(part => part.Theirs).Distinct())
            {
                if (!_byTensor.TryGetValue(theirs, out List<TensorRule>? list))
                {
                    _byTensor.Add(theirs, list = []);
                }

                list.Add(rule);
            }
        }
    }

    /// <summary>Of all our parameters.</summary>
    public IReadOnlyList<TensorRule> Rules { get; }

    /// <summary>Modules with a matrix, in our order.</summary>
    public IEnumerable<string> Names => _byTensor.Where(pair => pair.Key.EndsWith(Weight, StringComparison.Ordinal) && pair.Value[0].Shape.Count > 1).Select(pair => ModuleOf(pair.Key));

    /// <summary>The ways in which the modules of a base may be named: by its own architecture where that is known, otherwise by each that it could be; last by our own names.</summary>
    /// <param name="model">The base, without adapters.</param>
    /// <param name="own">Its architecture, or null.</param>
    public static IEnumerable<PeftModules> Of(ModelConfig model, Architecture? own)
    {
        IEnumerable<Architecture> architectures = own is not null ? [own] : Architecture.All.Where(architecture => architecture.WhyNot(model) is null);
        return
        [
            .. architectures.Select(architecture => new PeftModules(architecture.Tensors(model))),
            new PeftModules(Architecture.Parameters(model).Select(parameter => TensorRule.Same(parameter, parameter.Name))),
        ];
    }

    /// <summary>The rules of our parameters that a tensor of the base is, or has parts of; none where there is no such tensor.</summary>
    public IReadOnlyList<TensorRule> OfTensor(string theirs) => _byTensor.GetValueOrDefault(theirs) ?? [];

    /// <summary>The rules of our matrices in a module.</summary>
    public IReadOnlyList<TensorRule> OfModule(string module) => OfTensor(module + Weight);

    /// <summary>The module of a tensor.</summary>
    public static string ModuleOf(string tensor) => tensor[..Math.Max(0, tensor.LastIndexOf('.'))];

    /// <summary>A layer of ours by its matrix.</summary>
    public static string LayerOf(TensorRule rule) => rule.Ours[..^Weight.Length];

    /// <summary>What a parameter of LoRA is called here.</summary>
    /// <param name="layer">Of ours.</param>
    /// <param name="shared">Whether it is one for all layers of a part.</param>
    public static string DownName(string layer, bool shared) => shared ? $"{ModuleOf(layer)}.lora_A.weight" : $"{layer}.lora_A.weight";

    /// <summary>A as a rule: [rank, in] of each part, one after the other where there are several.</summary>
    public static TensorRule Down(TensorRule matrix, int rank, bool shared)
    {
        int inputs = matrix.Shape[^1];
        return new TensorRule(
            DownName(LayerOf(matrix), shared), [.. matrix.Shape.SkipLast(2), rank, inputs], inputs,
            [.. matrix.Parts.Select(part => new TensorPart($"{ModuleOf(part.Theirs)}.lora_A.weight", [rank, inputs], [new(0, rank)]))]);
    }

    /// <summary>B as a rule: the rows that the matrix has, each of as many elements as the rank.</summary>
    public static TensorRule Up(TensorRule matrix, int rank) => new(
        $"{LayerOf(matrix)}.lora_B.weight", [.. matrix.Shape.SkipLast(1), rank], rank,
        [.. matrix.Parts.Select(part => new TensorPart($"{ModuleOf(part.Theirs)}.lora_B.weight", [part.AllRows, rank], part.Runs))]);

    /// <summary>A number for each row, such as the bias of B.</summary>
    /// <param name="matrix">The layer's.</param>
    /// <param name="name">From the layer on, the same here and there.</param>
    public static TensorRule OfRows(TensorRule matrix, string name) => new(
        $"{LayerOf(matrix)}.{name}", [.. matrix.Shape.SkipLast(1)], 1,
        [.. matrix.Parts.Select(part => new TensorPart($"{ModuleOf(part.Theirs)}.{name}", [part.AllRows], part.Runs))]);

    /// <summary>Both matrices of the vectors of tokens: A [V, rank] here, [rank, V] there.</summary>
    public static IEnumerable<TensorRule> OfEmbedding(TensorRule table, int rank)
    {
        string layer = LayerOf(table), module = ModuleOf(table.Parts[0].Theirs);
        return
        [
            TensorRule.Transposed(new WeightInfo($"{layer}.lora_embedding_A", [table.Shape[0], rank], "F32"), $"{module}.lora_embedding_A"),
            TensorRule.Same(new WeightInfo($"{layer}.lora_embedding_B", [table.Shape[1], rank], "F32"), $"{module}.lora_embedding_B"),
        ];
    }

    /// <summary>The layers as targets, as short as can be: the end of their names where all layers with that end are among them.</summary>
    public IReadOnlyList<string> Targets(IReadOnlyCollection<string> layers)
    {
        ILookup<string, string> all = Rules.Where(rule => rule.Shape.Count > 1 && rule.Ours.EndsWith(Weight, StringComparison.Ordinal)).Select(LayerOf).ToLookup(EndOf);
        HashSet<string> chosen = [.. layers];
        return [.. layers.GroupBy(EndOf).SelectMany(group => all[group.Key].All(chosen.Contains) ? [group.Key] : group.AsEnumerable())];
    }

    private static string EndOf(string name) => name[(name.LastIndexOf('.') + 1)..];
}
