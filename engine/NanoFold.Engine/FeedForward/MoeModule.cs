using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.FeedForward;

/// <summary>
/// Softmax routing to k of E experts, dropless (Mixtral, arXiv 2401.04088), shared experts beside them (DeepSeekMoE, arXiv 2401.06066).
/// Expert matrices are stacked: up and gate [E, F, C], down [E, C, F]. Shared experts are one dense feed-forward of width shared · F.
/// </summary>
internal sealed class Moe : FeedForwardModule
{
    private readonly MoeConfig _config;
    private readonly Linear _router;
    private readonly Parameter? _gate;
    private readonly Parameter _up;
    private readonly Parameter _down;
    private readonly Dense? _shared;

    public Moe(ModuleBuilder builder, MoeConfig config)
    {
        ModelShape model = builder.Model;
        int width = model.Width, hidden = config.Hidden, experts = config.Experts;
        _config = config;
        _router = new Linear(builder, "gate", width, experts, Initialization.Input(width), role: ParameterRole.Head);
        Layout input = Layout.Of(experts, hidden, width);
        _gate = config.Activation.IsGated ? builder.Add("experts.gate_proj.weight", input, ParameterRole.Matrix, Initialization.Input(width)) : null;
        _up = builder.Add("experts.up_proj.weight", input, ParameterRole.Matrix, Initialization.Input(width));
        _down = builder.Add("experts.down_proj.weight", Layout.Of(experts, width, hidden), ParameterRole.Matrix, Initialization.Output(hidden, model));
        _shared = config.Shared > 0 ? new Dense(builder.In("shared_experts"), config.Shared * hidden, config.Activation, "mlp.shared") : null;
    }

    public override IReadOnlyList<TapPoint> TapPoints =>
    [
        new("mlp.hook_router", "B T E"),
        new("mlp.hook_expert_load", "E"),
        .. _shared?.TapPoints.Select(p => p with { Shape = $"B T {_config.Shared * _config.Hidden}" }) ?? [],
    ];

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        Tensor shared = _shared?.Forward(context, x) ?? default;
        using Tape.Scope scope = tape.Enter("mlp");
        Tensor tokens = x.Reshape(x[0] * x[1], x[2]);
        Tensor logits = _router.Forward(tape, tokens);
        Tensor probabilities = SoftmaxOp.Record(tape, logits);
        Tap.ReadOnly(tape, "hook_router", probabilities.Reshape(x[0], x[1], _config.Experts));
        Tensor chosen = TopKOp.Record(tape, probabilities, _config.Active).Indices;
        (Tensor offsets, Tensor rowOfSlot, Tensor tokenOfRow) = ExpertSortOp.Record(tape, chosen, _config.Experts);
        if (tape.IsTraining || Tap.IsWanted(tape, "hook_expert_load"))
        {
            RecordLoss(tape, logits, probabilities, offsets);
        }

        Tensor rows = ExpertGatherOp.Record(tape, tokens, rowOfSlot, tokenOfRow);
        Tensor pre = GroupedLinearOp.Record(tape, rows, tape.Use(_gate ?? _up), offsets);
        Tensor linear = _gate is null ? default : GroupedLinearOp.Record(tape, rows, tape.Use(_up), offsets);
        Tensor results = GroupedLinearOp.Record(tape, _config.Activation.Activate(tape, pre, linear), tape.Use(_down), offsets);
        Tensor weights = ExpertWeightsOp.Record(tape, probabilities, chosen, _config.Renormalizes);
        Tensor y = ExpertCombineOp.Record(tape, results, weights, rowOfSlot).Reshape(x[0], x[1], x[2]);
        return shared.IsNone ? y : AddOp.Record(tape, y, shared);
    }

    private void RecordLoss(Tape tape, Tensor logits, Tensor probabilities, Tensor offsets)
    {
        // Outside training only the load is wanted: the terms that the state adds up stay as they are.
        (double balance, double z) = tape.IsTraining ? (_config.BalanceLoss, _config.ZLoss) : (0, 0);
        (Tensor loss, Tensor load) = RouterLossOp.Record(tape, logits, probabilities, offsets, balance, z);
        Tap.ReadOnly(tape, "hook_expert_load", load);
        if (tape.IsTraining)
        {
            tape.AddLoss(loss);
            tape.AddExpertLoad(load);
            if (balance > 0)
            {
                tape.AddLossTerm(StepSlot.BalanceLoss);
            }

            if (z > 0)
            {
                tape.AddLossTerm(StepSlot.ZLoss);
            }
        }
    }
}
