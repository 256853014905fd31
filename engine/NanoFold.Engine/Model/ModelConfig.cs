using System.Text.Json.Serialization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Modules.Adapters;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Taps;

namespace NanoFold.Engine.Model;

/// <summary>
/// The section <c>model</c>: a decoder, x ← x + mixer(norm(x)), x ← x + feedForward(norm(x)) per layer unless normPlace and parallel say otherwise, a final norm and a
/// head. Zeros stand for what follows from the rest until <see cref="Resolve"/>.
/// </summary>
public sealed record ModelConfig : ModelShape
{
    /// <summary>The kind of every layer that <see cref="Pattern"/> gives none: how tokens learn of those before them.</summary>
    public MixerConfig Mixer { get; init; } = new AttentionConfig();

    /// <summary>The kind of every layer that <see cref="Pattern"/> gives none: what acts on each token alone.</summary>
    public FeedForwardConfig FeedForward { get; init; } = new SwiGluConfig();

    /// <summary>How mixers and feed-forwards read the stream, and how what they make joins it, in every layer.</summary>
    public ResidualConfig Residual { get; init; } = new AddConfig();

    /// <summary>
    /// Blocks, repeated from the first as often as it takes to fill <see cref="ModelShape.Layers"/>, of which their sum must be a divisor;
    /// null for layers that are all alike. Or one text: <c>sliding-window*3, attention/moe</c>, with <c>(…)*2</c> to repeat several, and
    /// <c>attention+mamba2</c> for mixers beside each other.
    /// </summary>
    public IReadOnlyList<BlockConfig>? Pattern { get; init; }

    /// <summary>
    /// What is put around linear layers and, where <c>train.trainable</c> names nothing else, is trained alone; each a kind or its record, of those that mean a layer the first
    /// takes it.
    /// </summary>
    public IReadOnlyList<AdapterConfig> Adapters { get; init; } = [];

    /// <summary>
    /// Edits of the model's points, one after the other, that belong to it: they hold wherever it runs, in training, evaluation, measuring and decoding.
    /// </summary>
    public IReadOnlyList<EditConfig> Edits { get; init; } = [];

    /// <summary>Whether tokens are read or predicted, so that there is a vocabulary.</summary>
    [JsonIgnore]
    public bool HasVocab => Inputs == 0 || Outputs == 0;

    /// <summary>In a line, why tokens cannot be made one by one; null where they can.</summary>
    [JsonIgnore]
    public string? WhyNotDecoded => Inputs > 0 || Outputs > 0
        ? $"model.{(Inputs > 0 ? "inputs" : "outputs")}: the model {(Inputs > 0 ? "reads real features" : "gives real values")}, so that it makes no text"
        : Visibility != VisibilityKind.Causal
            ? $"model.visibility: the model is \"{Visibility.ToString().ToLowerInvariant()}\", so that it makes no text; only causal models can, in which no token sees a later one"
            : null;

    /// <summary>What each layer consists of, [<see cref="ModelShape.Layers"/>].</summary>
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

        IEnumerable<ConfigProblem> parts =
        [
            .. Mixer.Validate(resolved, $"{path}.mixer"),
            .. FeedForward.Validate(resolved, $"{path}.feedForward"),
            .. Residual.Validate(resolved, $"{path}.residual"),
            .. Edits.SelectMany((edit, i) => edit.Validate($"{path}.edits.{i}")),
            .. Edits.Index().Where(edit => edit.Item.TakesFromARun).Select(edit => new ConfigProblem(
                $"{path}.edits.{edit.Index}.from", "takes values of another run, which a model does not have for its own; give the edit to intervene or generate")),
        ];
        for (int i = 0; i < (Pattern?.Count ?? 0); i++)
        {
            BlockConfig block = Pattern![i];
            parts = parts
                .Concat(block.Mixer?.Validate(resolved, $"{path}.pattern.{i}.mixer") ?? [])
                .Concat(block.FeedForward?.Validate(resolved, $"{path}.pattern.{i}.feedForward") ?? []);
        }

        for (int i = 0; i < Adapters.Count; i++)
        {
            parts = parts.Concat(Adapters[i].Validate($"{path}.adapters.{i}"));
        }

        foreach (ConfigProblem problem in ValidateEnds(path, resolved))
        {
            yield return problem;
        }

        // Mixers whose heads are the model's find the same of it.
        foreach (ConfigProblem problem in parts.Distinct())
        {
            yield return problem;
        }
    }

    // What goes in, what comes out, and what is seen of it.
    private IEnumerable<ConfigProblem> ValidateEnds(string path, ModelConfig resolved)
    {
        if (Tied && (Inputs > 0 || Outputs > 0))
        {
            yield return new ConfigProblem($"{path}.tied", $"the head is the embedding only where tokens are read and predicted; {path}.{(Inputs > 0 ? $"inputs = {Inputs}" : $"outputs = {Outputs}")}");
        }

        if (NormPlace == NormPlaceKind.Post && Parallel == ParallelKind.OneNorm)
        {
            yield return new ConfigProblem($"{path}.parallel", $"there is no norm to share where {path}.normPlace is post; use two-norms, or pre or sandwich");
        }

        if (NormPlace == NormPlaceKind.Stream && Parallel != ParallelKind.None)
        {
            yield return new ConfigProblem($"{path}.parallel", $"mixer and feed-forward have a norm of the stream each where {path}.normPlace is stream; use none");
        }

        if (NormPlace == NormPlaceKind.Stream && !Residual.CarriesOneVector)
        {
            yield return new ConfigProblem($"{path}.normPlace", $"stream norms one vector for each token, and {path}.residual = \"{Residual.Kind}\" carries others; use add or scaled");
        }

        foreach ((string key, bool isSet) in Outputs > 0
            ? [("headBias", HeadBias), ("logitScale", LogitScale != 1), ("logitCap", LogitCap > 0)]
            : Array.Empty<(string, bool)>())
        {
            if (isSet)
            {
                yield return new ConfigProblem($"{path}.{key}", $"is of a head over the vocabulary, in whose place there is a read-out: {path}.outputs = {Outputs}");
            }
        }

        if (Inputs > 0 && EmbeddingScale != 1)
        {
            yield return new ConfigProblem($"{path}.embeddingScale", $"is of tokens that are looked up; {path}.inputs = {Inputs} are read in");
        }

        if (Pattern is not { Count: 0 } && resolved.LayerConfigs().Any(layer => !layer.FeedForward.IsThere && !layer.Mixer.Traits(resolved).Mixes))
        {
            yield return new ConfigProblem($"{path}.feedForward", "\"none\" beside the mixer \"none\" leaves layers with nothing in them; choose another of one of them");
        }

        if (ScoreCap > 0 && Pattern is not { Count: 0 } && resolved.LayerConfigs().Select(layer => layer.Mixer).FirstOrDefault(mixer => mixer.Traits(resolved).RefusesScoreCap) is { } sharp)
        {
            yield return new ConfigProblem($"{path}.scoreCap", $"scores of \"{sharp.Kind}\" cannot level off; use 0, or another mixer, such as attention or sliding-window");
        }

        if (Visibility != VisibilityKind.Causal && Pattern is not { Count: 0 } && resolved.LayerConfigs().Select(layer => layer.FeedForward).FirstOrDefault(kind => kind.Shifts) is { } shifting)
        {
            yield return new ConfigProblem($"{path}.visibility", $"a token of \"{shifting.Kind}\" reads the one before it; use causal, or another feed-forward");
        }

        string[] causal = Pattern is { Count: 0 } ? [] : [.. resolved.LayerConfigs().Select(layer => layer.Mixer).Where(mixer => !mixer.Traits(resolved).FollowsVisibility).Select(mixer => mixer.Kind).Distinct()];
        if (Visibility != VisibilityKind.Causal && causal.Length > 0)
        {
            IEnumerable<string> able = Variant.Of<MixerConfig>()
                .Where(kind => ((MixerConfig)Activator.CreateInstance(kind.Type)!).Traits(resolved) is { FollowsVisibility: true, Mixes: true })
                .Select(kind => kind.Kind);
            yield return new ConfigProblem(
                $"{path}.visibility", $"a token of \"{causal[0]}\" sees only those before it; use causal, or a mixer that can: {string.Join(", ", able)}");
        }
    }
}
