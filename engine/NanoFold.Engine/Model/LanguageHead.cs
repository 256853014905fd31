using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Model;

/// <summary>
/// Logits over the vocabulary, s · x Wᵀ / m + b; W [V, C] is its own or, tied, the embedding, s <see cref="ModelShape.LogitScale"/>, m the ratio of <see cref="ParametrizationConfig"/>,
/// b where <see cref="ModelShape.HeadBias"/> says so. They level off at <see cref="ModelShape.LogitCap"/>.
/// </summary>
public sealed class LanguageHead
{
    private readonly Linear? _own;
    private readonly Parameter? _embedding;
    private readonly TapSet? _edits;
    private readonly Parameter? _bias;
    private readonly double _scale;
    private readonly double _cap;

    /// <param name="builder">Of the whole model.</param>
    /// <param name="config">The model, resolved.</param>
    /// <param name="body">Whose embedding it may be.</param>
    /// <param name="edits">The model's own editors, or null.</param>
    public LanguageHead(ModuleBuilder builder, ModelConfig config, Body body, TapSet? edits = null)
    {
        (_edits, _scale, _cap) = (edits, config.LogitScale / config.Parametrization.Ratio(config.Width), config.LogitCap);
        if (config.Tied)
        {
            _embedding = body.Embedding?.Own ?? throw new ArgumentException("model.tied: features are read in, so that there is no embedding to be the head");
            _bias = config.HeadBias ? builder.Add("lm_head.bias", Layout.Of(config.Vocab), ParameterRole.Vector, Initializer.Zero, GrowthKind.None) : null;
        }
        else
        {
            _own = builder.Linear("lm_head", config.Width, config.Vocab, Initialization.Head(config), config.HeadBias, role: ParameterRole.Head, growth: GrowthKind.ScaledOutput);
        }
    }

    /// <summary>Its point.</summary>
    public IEnumerable<TapPoint> TapPoints => [new("hook_logits", "B T V")];

    /// <summary>Records the logits [B, T, V] of the normed stream x [B, T, C].</summary>
    public Tensor Logits(Tape tape, Tensor x)
    {
        using Tape.Scope edits = tape.EditBy(_edits);
        x = Scaled(tape, x);
        Tensor logits = _own?.Forward(tape, x) ?? LinearOp.Record(tape, x, Weight(tape), _bias is null ? default : tape.Use(_bias));
        return Tap.At(tape, "hook_logits", _cap > 0 ? CapOp.Record(tape, logits, _cap) : logits);
    }

    /// <summary>Records what directions x [.., C] of the normed stream add to the logits, [.., V], before these level off; no bias among it.</summary>
    public Tensor Shares(Tape tape, Tensor x) => LinearOp.Record(tape, Scaled(tape, x), Weight(tape));

    /// <summary>Records the cross-entropy of the stream's tokens with targets Int32 [B, T]; −1 marks places without one. While training it is the tape's loss.</summary>
    /// <returns>The mean loss [1] over <see cref="StepSlot.TargetCount"/> and each place's nats [B·T].</returns>
    public (Tensor Loss, Tensor Losses) Loss(Tape tape, Tensor x, Tensor targets)
    {
        using Tape.Scope edits = tape.EditBy(_edits);
        // Logits that nobody reads are never there as a whole, where the head is a matrix.
        (Tensor Loss, Tensor Losses) result = Tap.IsWanted(tape, "hook_logits") || !IsMatrix
            ? CrossEntropyOp.Record(tape, Logits(tape, x), targets)
            : LinearCrossEntropyOp.Record(tape, Scaled(tape, x), Weight(tape), targets);
        if (tape.IsTraining)
        {
            tape.AddLoss(result.Loss);
        }

        return result;
    }

    /// <summary>Records the same, and what the model finds most likely at each place, Int32 [B·T]: to be looked at, not to be trained on.</summary>
    public (Tensor Loss, Tensor Losses, Tensor Predictions) LossAndPredictions(Tape tape, Tensor x, Tensor targets)
    {
        Tensor logits = Logits(tape, x);
        (Tensor loss, Tensor losses) = CrossEntropyOp.Record(tape, logits, targets);
        int rows = checked((int)logits.Layout.Rows);
        return (loss, losses, TopKOp.Record(tape, logits.Reshape(rows, logits[-1]), 1).Indices.Reshape(rows));
    }

    /// <summary>Records −ln p of the target of each place [B·T], 0 where it is −1: values to make a loss of.</summary>
    /// <exception cref="UserException">The head is more than a matrix.</exception>
    public Tensor TokenNats(Tape tape, Tensor x, Tensor targets)
    {
        using Tape.Scope edits = tape.EditBy(_edits);
        return TokenNatsOp.Record(tape, Scaled(tape, x), Matrix(tape), targets);
    }

    /// <summary>Records the divergence of what this head says from what a reference says, KL(this ‖ reference) in nats of each place [B·T], 0 where the target is −1.</summary>
    /// <param name="tape">Where to record.</param>
    /// <param name="x">The normed stream [B, T, C].</param>
    /// <param name="reference">Its scaled stream and the matrix of its head.</param>
    /// <param name="targets">Int32 [B, T].</param>
    /// <exception cref="UserException">The head is more than a matrix.</exception>
    public Tensor Divergence(Tape tape, Tensor x, (Tensor Stream, Tensor Weight) reference, Tensor targets)
    {
        using Tape.Scope edits = tape.EditBy(_edits);
        return LinearKlOp.Record(tape, Scaled(tape, x), Matrix(tape), reference.Stream, reference.Weight, targets);
    }

    /// <summary>What <see cref="Divergence"/> reads of a reference whose normed stream is x.</summary>
    public (Tensor Stream, Tensor Weight) AsReference(Tape tape, Tensor x) => (Scaled(tape, x), Matrix(tape));

    /// <summary>Why token log-probabilities of this head are not made into losses, in a line; null where they are.</summary>
    public string? WhyNoLosses => IsMatrix ? null : "a head with a bias, a cap (model.logitCap) or an adapter with dropout has no losses of token log-probabilities";

    private Tensor Matrix(Tape tape) => WhyNoLosses is { } reason ? throw new UserException(reason) : Weight(tape);

    private bool IsMatrix => _cap == 0 && _bias is null && _own is not { IsMatrix: false };

    private Tensor Scaled(Tape tape, Tensor x) => _scale == 1 ? x : ScaleOp.Record(tape, x, _scale);

    private Tensor Weight(Tape tape) => _own?.Stored(tape) ?? tape.Use(_embedding!);
}
