using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Null;

namespace NanoFold.Engine.Model;

/// <summary>What a model takes: its parameters, trained or not, and caches are declared where nothing is allocated and counted, its work is that of a dry run.</summary>
public sealed record CostModel
{
    /// <summary>Parameters of the token embedding or the read-in of features, and of learned positions.</summary>
    public required long Embedding { get; init; }

    /// <summary>Parameters of all mixers, QK-norm gains included.</summary>
    public required long Mixer { get; init; }

    /// <summary>Parameters of all feed-forwards, idle experts included.</summary>
    public required long FeedForward { get; init; }

    /// <summary>Parameters of the residual connections.</summary>
    public required long Residual { get; init; }

    /// <summary>Parameters of the norms of the residual stream.</summary>
    public required long Norms { get; init; }

    /// <summary>Parameters of the head or the read-out; 0 where it is tied to the embedding.</summary>
    public required long Head { get; init; }

    /// <summary>Bytes that decoding keeps per sequence of full context, in float32; 0 where the model cannot be decoded.</summary>
    public required long CacheBytesPerSequence { get; init; }

    public long Parameters => Embedding + Mixer + FeedForward + Residual + Norms + Head;

    /// <summary>Of these, parameters that are trained.</summary>
    public required long Trained { get; init; }

    /// <summary>The parameter with most elements, and the part that it belongs to.</summary>
    public required (string Part, string Name, long Elements) Largest { get; init; }

    /// <summary>The counts of a model whose vocabulary is known, however large.</summary>
    /// <param name="model">The model.</param>
    /// <param name="trains">The names of the parameters that are trained; null for all.</param>
    public static CostModel Of(ModelConfig model, NameGlobs? trains = null)
    {
        using var backend = new NullBackend();
        using var transformer = new Transformer(model, backend, source: null, trains);
        using DecodeCache? cache = model.Resolve().WhyNotDecoded is null ? transformer.NewCache(batch: 1, chunk: 1) : null;
        ILookup<string, long> parts = transformer.Store.Parameters.ToLookup(p => PartOf(p.Name), p => p.Layout.Count);
        return new CostModel
        {
            Embedding = parts[nameof(Embedding)].Sum(),
            Mixer = parts[nameof(Mixer)].Sum(),
            FeedForward = parts[nameof(FeedForward)].Sum(),
            Residual = parts[nameof(Residual)].Sum(),
            Norms = parts[nameof(Norms)].Sum(),
            Head = parts[nameof(Head)].Sum(),
            Trained = transformer.Store.Count,
            Largest = transformer.Store.Parameters.Select(p => (PartOf(p.Name), p.Name, p.Layout.Count)).MaxBy(p => p.Count),
            CacheBytesPerSequence = cache?.Bytes ?? 0,
        };
    }

    /// <summary>The names of a model's parameters, whether its vocabulary is known or not.</summary>
    public static IReadOnlyList<string> ParameterNames(ModelConfig model)
    {
        using var backend = new NullBackend();
        using var transformer = new Transformer(model with { Vocab = Math.Max(1, model.Vocab) }, backend);
        return [.. transformer.Store.Parameters.Select(p => p.Name)];
    }

    /// <summary>
    /// FLOPs per token, forward and backward, by the convention for shares of a peak (MFU, PaLM, arXiv 2204.02311): 6 · N + Σ_layers 12 · H · D · T. N are the weights that a token meets, the head
    /// included and no embedding: three times what a dry run's forward pass spends on parameters with more than one dimension. The rest is
    /// <see cref="MixerConfig.PairFlopsPerToken"/>, with neither a causal mask nor what the backward pass computes again: what is executed a plan knows. A weight that is not
    /// trained has no gradient of its own: 4 in place of 6, or 2 where nothing before it is trained.
    /// </summary>
    /// <param name="model">Its vocabulary known.</param>
    /// <param name="trains">The names of the parameters that are trained; null for all or, with adapters, for theirs.</param>
    public static long FlopsPerToken(ModelConfig model, NameGlobs? trains = null)
    {
        model = model.Resolve();
        using var dry = new DryRun();
        using var transformer = new Transformer(model, dry.Backend, source: null, trains);
        var tape = new Tape(dry.Backend, training: transformer.Store.Parameters.Any(p => p.Frozen));
        Tensor New(string name, DType type, params ReadOnlySpan<int> shape)
        {
            Layout layout = Layout.Of(shape);
            return tape.External(name, new View(dry.Backend.Allocate(layout.Count * type.Size()), 0, layout, type));
        }

        Tensor input = model.Inputs > 0 ? New("features", DType.Float32, 1, model.Context, model.Inputs) : New("tokens", DType.Int32, 1, model.Context);
        transformer.RecordOutputs(tape, input, prefixes: model.Visibility == VisibilityKind.Prefix ? New("prefixes", DType.Int32, 1) : default);
        // Steps without an op of the pass, such as zeros to add up in, multiply nothing.
        double flops = dry.Of(new Plan(tape)).Sum(call => call.Step.Call is { } op ? call.Cost.Flops * Passes(tape, op.Node) : 0);
        return (long)(flops / model.Context) + model.LayerConfigs().Sum(layer => layer.Mixer.PairFlopsPerToken(model));
    }

    // Of what a node's forward pass spends on matrices: once forward, once for the gradient of each matrix that is trained, once for that of what they are multiplied with.
    private static double Passes(Tape tape, Node node)
    {
        TapeValue[] values = [.. node.Inputs.Where(input => !input.IsNone).Select(input => tape.Values[input.Id])];
        TapeValue[] matrices = [.. values.Where(value => value is { Kind: ValueKind.Parameter, Layout.Rank: > 1 })];
        if (!tape.IsTraining || matrices.Length == 0)
        {
            return matrices.Length == 0 ? 0 : 3;
        }

        double trained = matrices.Where(matrix => matrix.NeedsGradient).Sum(matrix => (double)matrix.Layout.Count) / matrices.Sum(matrix => (double)matrix.Layout.Count);
        return 1 + trained + (values.Any(value => value.Kind == ValueKind.Activation && value.NeedsGradient) ? 1 : 0);
    }

    // By where it is declared: model.embed_tokens, model.layers.3.mlp.up_proj, model.norm, lm_head.
    private static string PartOf(string name) => name.Split('.') switch
    {
        ["lm_head" or "read_out", ..] => nameof(Head),
        ["model", "layers", _, "mlp", ..] => nameof(FeedForward),
        ["model", .. { Length: > 0 } path] when path.Any(module => module.EndsWith("_residual", StringComparison.Ordinal)) => nameof(Residual),
        ["model", "layers", _, var module, ..] => module.EndsWith("layernorm", StringComparison.Ordinal) ? nameof(Norms) : nameof(Mixer),
        ["model", "norm" or "embed_norm", ..] => nameof(Norms),
        _ => nameof(Embedding),
    };
}
