using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Engine.Training;

/// <summary>
/// AdamW for every parameter, or Muon for hidden matrices and AdamW for the rest. One conditional update per step:
/// where loss or gradient is not finite nothing is written. The biases that balance experts move with it.
/// </summary>
public sealed class Optimizer : IDisposable
{
    private readonly ParameterStore _store;
    private readonly TrainConfig _config;
    private readonly StepState _state;
    private readonly IKernel<AddSquaresCall> _addSquares;
    private readonly IKernel<DecideCall> _decide;
    private readonly IKernel<AdamWCall> _adamW;
    private readonly IKernel<MuonMomentumCall> _momentum;
    private readonly IKernel<MuonApplyCall> _apply;
    private readonly IKernel<ExpertBiasCall> _balance;
    private readonly DeviceBuffer _first;
    private readonly DeviceBuffer? _second;
    private readonly long _secondStart;
    private readonly DeviceBuffer? _update;
    private readonly NewtonSchulz? _newtonSchulz;
    private readonly ElementRange _matrices;
    private readonly Parameter[] _hidden = [];
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
        _adamW = backend.Require<AdamWCall>();
        _momentum = backend.Require<MuonMomentumCall>();
        _apply = backend.Require<MuonApplyCall>();
        _balance = backend.Require<ExpertBiasCall>();
        _matrices = store.Range(ParameterRole.Matrix);
        _balanced = [.. store.Routers.Where(router => router is { Bias: not null, BiasRate: > 0 })];
        _first = backend.Allocate(store.TrainedElements * sizeof(float));
        store.AllocateGradients();
        if (UsesMuon)
        {
            // Matrices come first in the store.
            _secondStart = _matrices.End;
            _update = backend.Allocate((_matrices.End - _matrices.Start) * sizeof(float));
            _hidden = [.. store.Parameters.Where(p => p.Role == ParameterRole.Matrix && !p.Frozen)];
            _newtonSchulz = new NewtonSchulz(backend, _hidden.Select(m => (m.Layout[-2], m.Layout[-1])), config.Precision.Arithmetic().AllowsTensorFloat32);
        }

        _second = store.TrainedElements > _secondStart ? backend.Allocate((store.TrainedElements - _secondStart) * sizeof(float)) : null;
    }

    /// <summary>First moments, or Muon's momentum; as long as the gradients.</summary>
    public View First => Vector(_first, 0, _store.TrainedElements);

    /// <summary>Second moments, of all that follows the matrices where Muon updates those; none where nothing does.</summary>
    public View Second => _second is null ? default : Vector(_second, 0, _store.TrainedElements - _secondStart);

    /// <summary>Memory of moments and scratch.</summary>
    public long Bytes => _first.Bytes + (_second?.Bytes ?? 0) + (_update?.Bytes ?? 0) + (_newtonSchulz?.Bytes ?? 0);

    /// <summary>Where the parts of the update are noted, or null.</summary>
    internal EventLog? Log { get; set; }

    private bool UsesMuon => _config.Optimizer == OptimizerKind.Muon && _matrices.End > _matrices.Start;

    /// <summary>Updates all parameters, and their shadow, from the accumulated gradients, with the rates in the step's state.</summary>
    public void Update()
    {
        Log?.Begin(EventKind.Part, StepPart.GradientNorm);
        _addSquares.Run(new AddSquaresCall(_state, _store.AllGradients));
        _decide.Run(new DecideCall(_state, _config.Clip, _config.Precision.ScalesLoss()));
        Log?.End();
        foreach (ParameterRole role in Roles)
        {
            (long start, long end) = _store.Range(role);
            if (end == start)
            {
                continue;
            }

            if (role == ParameterRole.Matrix && UsesMuon)
            {
                Log?.Begin(EventKind.Part, StepPart.Muon);
                UpdateMatrices();
                Log?.End();
                continue;
            }

            Log?.Begin(EventKind.Part, StepPart.AdamW);
            (View values, View gradients) = _store.Slice(start, end);
            double decay = role is ParameterRole.Matrix or ParameterRole.Head ? _config.WeightDecay!.Value : 0;
            _adamW.Run(new AdamWCall(
                _state, values, gradients, Vector(_first, start, end), Vector(_second!, start - _secondStart, end - _secondStart),
                _config.Beta1!.Value, _config.Beta2!.Value, _config.Epsilon!.Value, decay));
            Log?.End();
        }

        Balance();
        if (_store.ShadowType is not null)
        {
            Log?.Begin(EventKind.Part, StepPart.Shadow);
            _store.Changed();
            Log?.End();
        }
    }

    public void Dispose()
    {
        _first.Dispose();
        _second?.Dispose();
        _update?.Dispose();
        _newtonSchulz?.Dispose();
    }

    private static ReadOnlySpan<ParameterRole> Roles =>
        [ParameterRole.Matrix, ParameterRole.Head, ParameterRole.Embedding, ParameterRole.Vector];

    private void Balance()
    {
        foreach (Router router in _balanced)
        {
            Log?.Begin(EventKind.Part, StepPart.Balance);
            _balance.Run(new ExpertBiasCall(_state, _store.Counts(router), _store.Values(router.Bias!), router.BiasRate));
            Log?.End();
        }
    }

    private void UpdateMatrices()
    {
        (_, View gradients) = _store.Slice(_matrices.Start, _matrices.End);
        View momentum = Vector(_first, _matrices.Start, _matrices.End);
        _momentum.Run(new MuonMomentumCall(_state, gradients, momentum, Vector(_update!, 0, _matrices.End - _matrices.Start), _config.Momentum));
        foreach (Parameter parameter in _hidden)
        {
            // A stack of experts' matrices is updated one by one.
            int rows = parameter.Layout[-2], columns = parameter.Layout[-1];
            Layout matrix = Layout.Of(rows, columns);
            for (long offset = 0; offset < parameter.Layout.Count; offset += matrix.Count)
            {
                var update = new View(_update!, parameter.Offset - _matrices.Start + offset, matrix, DType.Float32);
                _newtonSchulz!.Apply(_state, update);
                _apply.Run(new MuonApplyCall(
                    _state, _store.Values(parameter).With(matrix, offset), update, _config.MatrixWeightDecay!.Value, Math.Sqrt(Math.Max(1, (double)rows / columns))));
            }
        }
    }

    private static View Vector(DeviceBuffer buffer, long start, long end) =>
        new(buffer, start, Layout.Of(checked((int)(end - start))), DType.Float32);
}
