using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Model;

/// <summary>Real values of every place, y = x Wᵀ / m + b with W [O, C], b [O], m the ratio of <see cref="ParametrizationConfig"/>; see <see cref="ModelShape.Outputs"/>.</summary>
public sealed class ReadOut
{
    private readonly Linear _linear;
    private readonly TapSet? _edits;
    private readonly double _scale;

    /// <param name="builder">Of the whole model.</param>
    /// <param name="config">The model, resolved.</param>
    /// <param name="edits">The model's own editors, or null.</param>
    public ReadOut(ModuleBuilder builder, ModelConfig config, TapSet? edits = null)
    {
        (_edits, _scale) = (edits, 1 / config.Parametrization.Ratio(config.Width));
        TapPoints = [new TapPoint("hook_outputs", $"B T {config.Outputs}")];
        _linear = builder.Linear("read_out", config.Width, config.Outputs, Initialization.Head(config), bias: true, ParameterRole.Head, growth: GrowthKind.ScaledOutput);
    }

    /// <summary>Its point.</summary>
    public IEnumerable<TapPoint> TapPoints { get; }

    /// <summary>Records the values [B, T, O] of the normed stream x [B, T, C].</summary>
    public Tensor Values(Tape tape, Tensor x)
    {
        using Tape.Scope edits = tape.EditBy(_edits);
        return Tap.At(tape, "hook_outputs", _linear.Forward(tape, _scale == 1 ? x : ScaleOp.Record(tape, x, _scale)));
    }

    /// <summary>Records the squared error of the stream's values. While training it is the tape's loss.</summary>
    /// <param name="tape">Where to record.</param>
    /// <param name="x">The normed stream [B, T, C].</param>
    /// <param name="targets">What the values should be, [B, T, O].</param>
    /// <param name="marks">Int32 [B, T]; −1 marks places without a target.</param>
    /// <returns>The mean loss [1] over <see cref="StepSlot.TargetCount"/> and each place's error [B·T], the mean of its O squares.</returns>
    public (Tensor Loss, Tensor Losses) Loss(Tape tape, Tensor x, Tensor targets, Tensor marks)
    {
        (Tensor Loss, Tensor Losses) result = SquaredErrorOp.Record(tape, Values(tape, x), targets, marks);
        if (tape.IsTraining)
        {
            tape.AddLoss(result.Loss);
        }

        return result;
    }
}
