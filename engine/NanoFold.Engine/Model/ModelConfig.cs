using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;

namespace NanoFold.Engine.Model;

/// <summary>
/// The section <c>model</c>: a pre-norm decoder, x ← x + mixer(norm(x)), x ← x + feedForward(norm(x)) per layer, a final norm and a
/// head. Zeros stand for what follows from the rest until <see cref="Resolve"/>.
/// </summary>
public sealed record ModelConfig
{
    [Bounds(1, 4096)]
    public int Layers { get; init; } = 4;

    /// <summary>C, the width of the residual stream.</summary>
    [Bounds(1, 1 << 16)]
    public int Width { get; init; } = 128;

    /// <summary>H, the query heads.</summary>
    [Bounds(1, 4096)]
    public int Heads { get; init; } = 4;

    /// <summary>G, the key/value heads, of which each serves heads / kvHeads query heads; 0 for as many as <see cref="Heads"/>.</summary>
    [Bounds(0, 4096, Auto = true)]
    public int KvHeads { get; init; }

    /// <summary>D; 0 for width / heads. Heads · headDim need not be the width.</summary>
    [Bounds(0, 4096, Auto = true)]
    public int HeadDim { get; init; }

    /// <summary>T, the tokens that a sequence has in training, and at most.</summary>
    [Bounds(1, 1 << 22)]
    public int Context { get; init; } = 64;

    /// <summary>V; 0 for the tokenizer's.</summary>
    [Bounds(0, 1 << 22, Auto = true)]
    public int Vocab { get; init; }

    /// <summary>F; 0 for 8/3 · width rounded to a multiple of 8 in gated kinds, 4 · width in others.</summary>
    [Bounds(0, 1 << 18, Auto = true)]
    public int Hidden { get; init; }

    public NormKind Norm { get; init; } = NormKind.Rms;

    [Bounds(0, 1)]
    public double NormEpsilon { get; init; } = 1e-5;

    public PositionKind Position { get; init; } = PositionKind.Rope;

    /// <summary>θ_i = base^(−2i/D).</summary>
    [Bounds(1, AboveMinimum = true)]
    public double RopeBase { get; init; } = 10000;

    /// <summary>Turns elements 2i and 2i + 1 together (llama2.c) instead of i and i + D/2 (Hugging Face).</summary>
    public bool RopeInterleaved { get; init; }

    /// <summary>RMSNorm with a gain over D on queries and keys, before the positions (Qwen3).</summary>
    public bool QkNorm { get; init; }

    /// <summary>The head is the embedding, transposed.</summary>
    public bool Tied { get; init; }

    /// <summary>Linear layers of mixers and feed-forwards have a bias. Head, gates, routers and routed experts never do, layer norms always.</summary>
    public bool Bias { get; init; }

    [Bounds(0, 1, BelowMaximum = true)]
    public double Dropout { get; init; }

    /// <summary>How matrices that write to the stream start; null for what suits the optimizer: zero with Muon, scaled with AdamW.</summary>
    public InitializationKind? Initialization { get; init; }

    public MixerConfig Mixer { get; init; } = new AttentionConfig();

    public FeedForwardConfig FeedForward { get; init; } = new SwiGluConfig();

    /// <summary>
    /// Blocks, repeated from the first as often as it takes to fill <see cref="Layers"/>, of which their sum must be a divisor;
    /// null for layers that are all alike.
    /// </summary>
    public IReadOnlyList<BlockConfig>? Pattern { get; init; }

    /// <summary>The mixer and feed-forward of each layer, [<see cref="Layers"/>].</summary>
    public IReadOnlyList<LayerConfig> LayerConfigs()
    {
        IReadOnlyList<BlockConfig> pattern = Pattern ?? [new BlockConfig()];
        LayerConfig[] cycle = [.. pattern.SelectMany(block =>
            Enumerable.Repeat(new LayerConfig(block.Mixer ?? Mixer, block.FeedForward ?? FeedForward), block.Repeat))];
        return [.. Enumerable.Range(0, Layers).Select(layer => cycle[layer % cycle.Length])];
    }

    /// <summary>Fills in what follows from the rest; only the vocabulary may stay 0. Does nothing to what is resolved already.</summary>
    public ModelConfig Resolve()
    {
        ModelConfig shapes = this with
        {
            KvHeads = KvHeads > 0 ? KvHeads : Heads,
            HeadDim = HeadDim > 0 ? HeadDim : Math.Max(1, Width / Heads),
        };
        return shapes with
        {
            Hidden = FeedForward.HiddenFor(shapes),
            Mixer = Mixer.Resolve(shapes),
            FeedForward = FeedForward.Resolve(shapes),
            Pattern = Pattern?.Select(block => block with
            {
                Mixer = block.Mixer?.Resolve(shapes),
                FeedForward = block.FeedForward?.Resolve(shapes),
            }).ToArray(),
        };
    }

    /// <summary>What is inconsistent in it.</summary>
    public IEnumerable<ConfigProblem> Validate(string path)
    {
        ModelConfig resolved = Resolve();
        IEnumerable<MixerConfig> mixers = [Mixer, .. Pattern?.Select(block => block.Mixer).OfType<MixerConfig>() ?? []];
        if (HeadDim == 0 && Width % Heads != 0 && mixers.Any(mixer => mixer.Traits(resolved).HasHeads))
        {
            yield return new ConfigProblem($"{path}.width", $"{Width} is not a multiple of {path}.heads = {Heads}; change one of them or set {path}.headDim");
        }

        long blocks = Pattern?.Sum(block => (long)block.Repeat) ?? 1;
        if (blocks == 0 || Layers % blocks != 0)
        {
            yield return new ConfigProblem($"{path}.pattern", blocks == 0
                ? "is empty; use null for layers that are all alike"
                : $"has {blocks} layers, which does not divide {path}.layers = {Layers}");
        }

        IEnumerable<ConfigProblem> parts = [.. Mixer.Validate(resolved, $"{path}.mixer"), .. FeedForward.Validate(resolved, $"{path}.feedForward")];
        for (int i = 0; i < (Pattern?.Count ?? 0); i++)
        {
            BlockConfig block = Pattern![i];
            parts = parts
                .Concat(block.Mixer?.Validate(resolved, $"{path}.pattern.{i}.mixer") ?? [])
                .Concat(block.FeedForward?.Validate(resolved, $"{path}.pattern.{i}.feedForward") ?? []);
        }

        // Mixers whose heads are the model's find the same of it.
        foreach (ConfigProblem problem in parts.Distinct())
        {
            yield return problem;
        }
    }
}
