using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.FeedForward;

/// <summary>
/// Routing to k of E experts (Mixtral, arXiv 2401.04088; DeepSeek-V3, arXiv 2412.19437), shared experts beside them (DeepSeekMoE, arXiv 2401.06066).
/// Expert matrices are stacked: up and gate [E, F, C], down [E, C, F]. Shared experts are one dense feed-forward, times a gate σ(w · x) where there is one.
/// </summary>
internal sealed class Moe : FeedForwardModule
{
    private readonly MoeConfig _config;
    private readonly Linear _router;
    private readonly Router _state;
    private readonly GroupedLinear? _gate;
    private readonly GroupedLinear _up;
    private readonly GroupedLinear _down;
    private readonly Dense? _shared;
    private readonly Linear? _sharedGate;

    /// <param name="builder">Where the parameters are declared.</param>
    /// <param name="config">Resolved.</param>
    public Moe(ModuleBuilder builder, MoeConfig config)
    {
        ModelShape model = builder.Model;
        int width = model.Width, hidden = config.Hidden, experts = config.Experts;
        _config = config;
        _router = builder.Linear("gate", width, experts, Initialization.Input(width), config.Bias, role: ParameterRole.Head);
        StateTensor? bias = config.HasBias ? builder.AddState("gate.e_score_correction_bias", Layout.Of(experts)) : null;
        _state = builder.AddRouter(experts, bias, config.BiasRate ?? 0);
        _gate = config.Activation.IsGated ? builder.GroupedLinear("experts.gate_proj", experts, width, hidden, Initialization.Input(width), config.Bias) : null;
        _up = builder.GroupedLinear("experts.up_proj", experts, width, hidden, Initialization.Input(width), config.Bias);
        _down = builder.GroupedLinear("experts.down_proj", experts, hidden, width, Initialization.Output(hidden, model), config.Bias);
        _sharedGate = config.SharedGate ? builder.Linear("shared_gate", width, 1, Initialization.Gate, role: ParameterRole.Head) : null;
        _shared = config.Shared > 0 ? new Dense(builder.In("shared_experts"), config.SharedHidden, config.Activation, "mlp.shared", isPart: true) : null;
    }

    public override IReadOnlyList<TapPoint> TapPoints =>
    [
        new("mlp.hook_router", "B T E") { IsReadOnly = true },
        new("mlp.hook_expert_choice", $"B T {_config.Active}") { IsReadOnly = true },
        new("mlp.hook_expert_load", "E") { IsReadOnly = true },
        new("mlp.hook_pre", $"B T {_config.Active} F") { IsReadOnly = true },
        .. _gate is null ? Array.Empty<TapPoint>() : [new("mlp.hook_pre_linear", $"B T {_config.Active} F") { IsReadOnly = true }],
        new("mlp.hook_post", $"B T {_config.Active} F") { IsReadOnly = true },
        new("mlp.hook_expert_out", $"B T {_config.Active} C") { IsReadOnly = true },
        new("mlp.hook_expert_weights", $"B T {_config.Active}"),
        .. _shared?.TapPoints ?? [],
        .. _sharedGate is null ? Array.Empty<TapPoint>() : [new("mlp.hook_shared_gate", "B T 1")],
    ];

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        Tensor shared = _shared?.Forward(context, x) ?? default;
        using Tape.Scope scope = tape.Enter("mlp");
        if (_sharedGate is not null)
        {
            shared = MultiplyOp.Record(tape, shared, Tap.At(tape, "hook_shared_gate", ActivationOp<Sigmoid>.Record(tape, _sharedGate.Forward(tape, x))));
        }

        Tensor tokens = x.Reshape(x[0] * x[1], x[2]);
        Tensor logits = _router.Forward(tape, tokens);
        Tensor scores = _config.Routing == RouterKind.Sigmoid ? ActivationOp<Sigmoid>.Record(tape, logits) : SoftmaxOp.Record(tape, logits);
        Tap.ReadOnly(tape, "hook_router", scores.Reshape(x[0], x[1], _config.Experts));
        Tensor chosen = Choose(tape, scores), kept = chosen, routed = default;
        int? capacity = tape is { IsTraining: true, Drops: true } ? Capacity(x[1]) : null;
        if (capacity is { } limit)
        {
            (kept, routed) = ExpertCapacityOp.Record(tape, chosen, _config.Experts, x[0], limit);
        }

        (Tensor offsets, Tensor rowOfSlot, Tensor tokenOfRow) = ExpertSortOp.Record(tape, kept, _config.Experts, (long?)capacity * _config.Experts * x[0]);
        ReadChoice(tape, chosen, x);
        RecordLoad(tape, logits, scores, routed.IsNone ? offsets : routed, offsets);
        Tensor rows = ExpertGatherOp.Record(tape, tokens, rowOfSlot, tokenOfRow);
        Tensor pre = (_gate ?? _up).Forward(tape, rows, offsets);
        Tensor linear = _gate is null ? default : _up.Forward(tape, rows, offsets);
        Tensor post = _config.Activation.Activate(tape, pre, linear), results = _down.Forward(tape, post, offsets);
        foreach ((string name, Tensor value) in new[] { ("hook_pre", pre), ("hook_pre_linear", linear), ("hook_post", post), ("hook_expert_out", results) })
        {
            ReadOfChosen(tape, name, value, rowOfSlot, x);
        }

        Tensor weights = ExpertWeightsOp.Record(tape, scores, chosen, _config.Renormalizes, _config.RouteScale);
        weights = Tap.At(tape, "hook_expert_weights", weights.Reshape(x[0], x[1], _config.Active)).Reshape(x[0] * x[1], _config.Active);
        Tensor y = ExpertCombineOp.Record(tape, results, weights, rowOfSlot).Reshape(x[0], x[1], x[2]);
        return shared.IsNone ? y : AddOp.Record(tape, y, shared);
    }

    private Tensor Choose(Tape tape, Tensor scores) => _state.Bias is null && _config.ActiveGroups == _config.Groups
        ? TopKOp.Record(tape, scores, _config.Active).Indices
        : ExpertChoiceOp.Record(
            tape, scores, _state.Bias is null ? default : tape.Use(_state.Bias), _config.Active,
            _config.ActiveGroups < _config.Groups ? _config.Groups : 1, _config.ActiveGroups < _config.Groups ? _config.ActiveGroups : 1);

    // ⌈c · k · T / E⌉, or null where that is no limit: a token goes to an expert once. In decimal digits, as the factor was written: 1.1 · 10 is 11, not a bit more.
    private int? Capacity(int time)
    {
        if (_config.Capacity == 0 || _config.Capacity * _config.Active >= _config.Experts)
        {
            return null;
        }

        int most = (int)Math.Max(1, decimal.Ceiling((decimal)_config.Capacity * _config.Active * time / _config.Experts));
        return most < time ? most : null;
    }

    // Rows of experts as those of the places that chose them, [B, T, k, ..]; 0 where an expert had no room.
    private void ReadOfChosen(Tape tape, string name, Tensor value, Tensor rowOfSlot, Tensor x)
    {
        if (!value.IsNone && Tap.IsWanted(tape, name))
        {
            Tap.ReadOnly(tape, name, EmbeddingOp.Record(tape, value, rowOfSlot).Reshape(x[0], x[1], _config.Active, value[1]));
        }
    }

    // Numbers of experts as real ones: those that a token is sent to, whether they take it or not.
    private void ReadChoice(Tape tape, Tensor chosen, Tensor x)
    {
        if (Tap.IsWanted(tape, "hook_expert_choice"))
        {
            Tap.ReadOnly(tape, "hook_expert_choice", IntegerConversionOp.Record(tape, chosen).Reshape(x[0], x[1], _config.Active));
        }
    }

    private void RecordLoad(Tape tape, Tensor logits, Tensor scores, Tensor routed, Tensor kept)
    {
        // Outside training only the load is wanted: the terms that the state adds up stay as they are.
        (double balance, double z) = tape.IsTraining ? (_config.BalanceLoss ?? 0, _config.ZLoss ?? 0) : (0, 0);
        bool hasLoss = balance > 0 || z > 0;
        if (hasLoss || Tap.IsWanted(tape, "hook_expert_load"))
        {
            (Tensor loss, Tensor load) = RouterLossOp.Record(tape, logits, scores, routed, balance, z);
            Tap.ReadOnly(tape, "hook_expert_load", load);
            if (hasLoss)
            {
                tape.AddLoss(loss);
            }
        }

        if (tape.IsTraining)
        {
            ExpertTallyOp.Record(tape, routed, kept, tape.UseCounts(_state));
        }
    }
}
