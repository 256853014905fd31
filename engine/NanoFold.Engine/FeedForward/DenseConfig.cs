using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.FeedForward;

/// <summary>A feed-forward whose every weight meets every token; what lies between its matrices makes the kind.</summary>
public abstract record DenseConfig : FeedForwardConfig
{
    /// <summary>The factor on what the activation function reads, of W_gate x where there is a gate and of W_up x where there is none (Falcon-H1).</summary>
    [Bounds(0, AboveMinimum = true)]
    public double PreScale { get; init; } = 1;

    /// <summary>The factor on what W_down gives (Falcon-H1).</summary>
    [Bounds(0, AboveMinimum = true)]
    public double OutputScale { get; init; } = 1;

    /// <summary>Whether there are two matrices before the activation, of which one is the gate.</summary>
    public abstract bool IsGated { get; }

    /// <summary>What <see cref="Activate"/> records where it is gated, as a formula that can be applied where a product ends; null: it is recorded by itself.</summary>
    public virtual GateFormula? Gate => null;

    /// <summary>f(pre), or f(pre) ⊙ linear where it is gated.</summary>
    public abstract Tensor Activate(Tape tape, Tensor pre, Tensor linear);

    /// <inheritdoc/>
    /// <remarks>4 · C, or with a gate 8/3 · C in the nearest multiple of 8: the same number of parameters.</remarks>
    public override int DefaultHidden(int width) =>
        IsGated ? Math.Max(8, (int)Math.Round(width / 3.0, MidpointRounding.AwayFromZero) * 8) : 4 * width;

    /// <inheritdoc/>
    public override FeedForwardModule Build(ModuleBuilder builder) => new Dense(builder.In("mlp"), HiddenFor(builder.Model), this);
}

/// <summary>W_down · f(W_up x).</summary>
public abstract record MlpConfig<TActivation> : DenseConfig
    where TActivation : struct, IActivation
{
    /// <inheritdoc/>
    public override bool IsGated => false;

    /// <inheritdoc/>
    public override Tensor Activate(Tape tape, Tensor pre, Tensor linear) => ActivationOp<TActivation>.Record(tape, pre);
}

/// <summary>W_down · (f(W_gate x) ⊙ W_up x) (arXiv 2002.05202).</summary>
public abstract record GluConfig<TActivation> : DenseConfig
    where TActivation : struct, IActivation
{
    /// <inheritdoc/>
    public override bool IsGated => true;

    /// <inheritdoc/>
    public override GateFormula? Gate => GatedActivationOp<TActivation>.Formula;

    /// <inheritdoc/>
    public override Tensor Activate(Tape tape, Tensor pre, Tensor linear) => GatedActivationOp<TActivation>.Record(tape, pre, linear);
}
