using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Engine.Training;

/// <summary>
/// One conditional update per step, by the rule of the configuration's optimizer: where loss or gradient is not finite nothing is written. The biases that
/// balance experts, and the rounded copies of parameters, follow.
/// </summary>
public sealed class Optimizer : IDisposable
{
    private readonly ParameterStore _store;
    private readonly TrainConfig _config;
    private readonly StepState _state;
    private readonly IKernel<AddSquaresCall> _addSquares;
    private readonly IKernel<DecideCall> _decide;
    private readonly IKernel<ExpertBiasCall> _balance;
    private readonly OptimizerBuilder _builder;
    private readonly UpdateRule _rule;
    private readonly (RoleRange Range, StepPart Part)[] _ranges;
    private readonly (TogetherUpdate Update, StepPart Part)? _together;
    private readonly ElementRange _apart;
    private readonly bool _rounds;
    private readonly List<(StepSlot Slot, double Factor)> _scaledRates = [];
    private readonly OptimizerRate[] _rates;
    private readonly LearningRate[] _ownRates;
    private readonly Router[] _balanced;

    /// <param name="store">Allocated parameters in float32.</param>
    /// <param name="config">Resolved settings.</param>
    /// <param name="state">Of the training: what was added up in it decides about an update, and its rates are taken.</param>
    public Optimizer(ParameterStore store, TrainConfig config, StepState state)
    {
        _state = state;
        _store = store;
        _config = config;
        Backend backend = store.Backend;
        _addSquares = backend.Require<AddSquaresCall>();
        _decide = backend.Require<DecideCall>();
        _balance = backend.Require<ExpertBiasCall>();
        _balanced = [.. store.Routers.Where(router => router is { Bias: not null, BiasRate: > 0 })];
        store.AllocateGradients();
        _builder = new OptimizerBuilder(store, state, config.Precision.Arithmetic(backend).Rounding);
        try
        {
            _rule = config.Optimizer.Build(_builder);
        }
        catch
        {
            _builder.Dispose();
            throw;
        }

        RoleRange[] ranges = [.. Enum.GetValues<ParameterRole>().SelectMany(RangesOf)];
        _apart = store.Trained;
        if (_rule.Together(ranges) is { } together)
        {
            _apart = _apart with { End = together.Elements.Start };
            _together = (together, new StepPart(_rule.NameOf(ranges[^1].Role), StepPhase.Update));
        }

        _ranges = [.. ranges.Where(range => range.Elements.Start < _apart.End).Select(range => (range, new StepPart(_rule.NameOf(range.Role), StepPhase.Update)))];
        _rounds = store.ShadowType is not null && !_apart.IsEmpty && !_ranges.All(range => _rule.Rounds(range.Range.Role));
        _rates = [.. _builder.Rates];
        _ownRates = new LearningRate[_rates.Length];
    }

    /// <summary>What is remembered of each element from step to step: a checkpoint's tensors.</summary>
    public IReadOnlyList<OptimizerSlot> Slots => _builder.Slots;

    /// <summary>Memory of slots and scratch.</summary>
    public long Bytes => _builder.Bytes;

    /// <summary>Where the parts of the update are noted, or null.</summary>
    internal EventLog? Log { get; set; }

    /// <summary>Sets what the next update reads of its step.</summary>
    /// <param name="step">From 1.</param>
    /// <param name="factor">The schedule's: a share of the peaks.</param>
    public void Begin(long step, double factor)
    {
        double peak = _config.LearningRate!.Value;
        _state.Set(StepSlot.LearningRate, factor * peak);
        foreach ((StepSlot slot, double scale) in _scaledRates)
        {
            _state.Set(slot, factor * peak * scale);
        }

        foreach (OptimizerRate rate in _rates)
        {
            _state.Set(rate.Slot, factor * rate.Peak);
        }

        _rule.Begin(step);
    }

    /// <summary>The rates that the optimizer has beside <c>train.learningRate</c>, as they are set now. The same list every time, filled again by the next call.</summary>
    public IReadOnlyList<LearningRate> ReadOwnRates()
    {
        for (int i = 0; i < _ownRates.Length; i++)
        {
            _ownRates[i] = new LearningRate(_rates[i].Key, _state.GetDouble(_rates[i].Slot));
        }

        return _ownRates;
    }

    /// <summary>Updates all parameters, and their shadow, from the accumulated gradients, with the rates in the step's state.</summary>
    public void Update()
    {
        Log?.Begin(EventKind.Part, StepPart.GradientNorm);
        foreach (ElementRange piece in _store.Trained)
        {
            _addSquares.Run(new AddSquaresCall(_state, _store.Gradients(piece)));
        }

        _decide.Run(new DecideCall(_state, _config.Clip, _config.Precision.ScalesLoss()));
        Log?.End();
        foreach ((RoleRange range, StepPart part) in _ranges)
        {
            Log?.Begin(EventKind.Part, part);
            _rule.UpdateRole(range);
            Log?.End();
        }

        if (_together is { } all)
        {
            Log?.Begin(EventKind.Part, all.Part);
            all.Update.Run();
            Log?.End();
        }

        foreach (Router router in _balanced)
        {
            Log?.Begin(EventKind.Part, StepPart.Balance);
            _balance.Run(new ExpertBiasCall(_state, _store.Counts(router), _store.Values(router.Bias!), router.BiasRate));
            Log?.End();
        }

        if (_rounds)
        {
            Log?.Begin(EventKind.Part, StepPart.Shadow);
            _store.Changed(_apart);
            Log?.End();
        }
    }

    public void Dispose()
    {
        _rule.Dispose();
        _builder.Dispose();
    }

    // Of a role, one range for each stretch of parameters with the same factor on their rate. Decay times rate is the same for all of them.
    private List<RoleRange> RangesOf(ParameterRole role)
    {
        var ranges = new List<RoleRange>();
        ElementRange all = _store.Range(role);
        Parameter[] parameters = [.. _store.Parameters.Where(p => p.Role == role && !p.Frozen).OrderBy(p => p.Offset)];
        for (int first = 0, next; first < parameters.Length; first = next)
        {
            double factor = _config.Optimizer.RateFactor(parameters[first]);
            for (next = first + 1; next < parameters.Length && _config.Optimizer.RateFactor(parameters[next]) == factor; next++)
            {
            }

            var elements = new ElementRange(first == 0 ? all.Start : parameters[first].Offset, next == parameters.Length ? all.End : parameters[next].Offset);
            double decay = RoleRange.Decays(role) ? _config.WeightDecay!.Value / factor : 0;
            ranges.Add(new RoleRange(_state, _store, role, elements, decay) { Rate = RateOf(factor) });
        }

        return ranges;
    }

    private StepSlot RateOf(double factor)
    {
        if (factor == 1)
        {
            return StepSlot.LearningRate;
        }

        StepSlot slot = _state.Add(FormattableString.Invariant($"learningRate × {factor:R}"));
        if (!_scaledRates.Contains((slot, factor)))
        {
            _scaledRates.Add((slot, factor));
        }

        return slot;
    }
}

/// <summary>A learning rate with the name that metrics.jsonl gives it.</summary>
public readonly record struct LearningRate(string Key, double Value);
