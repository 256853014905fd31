using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Engine.Benchmarks;

/// <summary>
/// A case recorded and planned so that its op's two passes can be run apart from the rest, as often as one likes: weights are parameters, to
/// whose gradient is added, other inputs are copies of parameters, whose gradient is written, as in a model. The outputs' gradients are fixed.
/// </summary>
public sealed class OpRunner : IDisposable
{
    private const ulong WeightsKey = ulong.MaxValue;

    private readonly DType _type;
    private readonly ParameterStore _store;
    private readonly StepState _state;
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly PlanBuilder _builder;
    private readonly PlanStep[] _all;
    private readonly PlanStep[] _forward;
    private readonly PlanStep[] _backward;
    private readonly DeviceBuffer _arena;
    private readonly IReadOnlyList<Tensor> _outputs;

    /// <summary>Where it runs.</summary>
    public Backend Backend { get; }

    /// <param name="opCase">What to run.</param>
    /// <param name="backend">Where; at the only micro-batch of a step with one target.</param>
    /// <param name="type">Type of the activations; with 16 bits parameters are in single precision.</param>
    public OpRunner(OpCase opCase, Backend backend, DType type = DType.Float32)
    {
        Case = opCase;
        Backend = backend;
        _type = type;
        _store = StoreOf(opCase, backend, type.Sum());
        _state = backend.NewState();
        var tape = new Tape(backend, type, training: opCase.CheckGradient) { State = _state };
        Tensor[] inputs = [.. opCase.Inputs.Select((input, i) => Input(tape, input, i))];
        int first = tape.Nodes.Count;
        _outputs = opCase.Record(tape, inputs).Tensors;
        int end = tape.Nodes.Count;
        // Kept, so that a pass can be run again although a later one has run meanwhile.
        foreach (Tensor value in tape.Nodes.SelectMany(node => node.Outputs).ToArray())
        {
            tape.Keep(value);
        }

        for (int i = 0; opCase.CheckGradient && i < _outputs.Count; i++)
        {
            int[] shape = _outputs[i].Layout.ToShape();
            View weights = New(new OpInput(shape, 0.5, 1.5), WeightsKey - (ulong)i, _outputs[i].Type);
            tape.AddLoss(DotOp.Record(tape, _outputs[i], tape.External("weights", weights)));
        }

        _builder = new PlanBuilder(tape, recompute: false);
        _arena = backend.Allocate(_builder.Build());
        _all = _builder.Resolve(_arena);
        _forward = Steps(PlanStepKind.Forward, first, end);
        _backward = Steps(PlanStepKind.Backward, first, end);
    }

    public OpCase Case { get; }

    /// <summary>Whether there is a backward pass to run.</summary>
    public bool HasBackward => _backward.Length > 0;

    /// <summary>Names of the ops that the case records: more than one where it is composed.</summary>
    public IEnumerable<string> Ops => _forward.Select(step => step.Call!.Node.Op.Name);

    /// <summary>Names of the ops whose calls were made ready, see <see cref="Op.Prepare"/>.</summary>
    internal IEnumerable<string> Prepared => _forward.Where(step => step.Prepared is not null).Select(step => step.Call!.Node.Op.Name);

    /// <summary>The inputs, as the reference is given them.</summary>
    public static double[][] Inputs(OpCase opCase) => [.. opCase.Inputs.Select((input, i) => input.Draw((ulong)i))];

    /// <summary>What the two passes of a case cost with the kernels of a backend, or with every kernel; nothing for a pass that is not there.</summary>
    public static (KernelCost Forward, KernelCost Backward) CostOf(OpCase opCase, Backend? like = null, DType type = DType.Float32)
    {
        using var dry = new DryRun(like);
        using var runner = new OpRunner(opCase, dry.Backend, type);
        return (dry.Of(runner.Forward), dry.Of(runner.Backward));
    }

    /// <summary>Runs everything once, from zeroed gradients: what the passes read is there from then on.</summary>
    public void Run()
    {
        if (_store.TrainedElements > 0)
        {
            _store.ClearGradients();
        }

        Run(_all);
    }

    /// <summary>Runs the op forward once more.</summary>
    public void Forward() => Run(_forward);

    /// <summary>Runs the op backward once more; gradients of weights grow.</summary>
    public void Backward() => Run(_backward);

    /// <summary>The outputs of the last run, one after the other.</summary>
    public double[] Output() => [.. _outputs.SelectMany(output => Read(_builder.View(output, _arena)))];

    /// <summary>The gradients of all real inputs, one after the other, of the last <see cref="Run()"/>.</summary>
    public double[] Gradients() => [.. _store.Parameters.SelectMany(p => Read(_store.Gradients(p)))];

    public void Dispose()
    {
        _arena.Dispose();
        _buffers.ForEach(buffer => buffer.Dispose());
        _store.Dispose();
        _state.Dispose();
    }

    private static bool IsParameter(OpInput input) => !input.IsInteger && input.Values is null;

    private static string NameOf(int input) => $"input {input}";

    private static ParameterStore StoreOf(OpCase opCase, Backend backend, DType type)
    {
        var store = new ParameterStore(backend, type);
        for (int i = 0; i < opCase.Inputs.Length; i++)
        {
            if (IsParameter(opCase.Inputs[i]))
            {
                store.Add(NameOf(i), Layout.Of(opCase.Inputs[i].Shape), ParameterRole.Matrix, Initializer.Zero);
            }
        }

        store.Allocate(seed: 0);
        return store;
    }

    private PlanStep[] Steps(PlanStepKind kind, int first, int end) =>
        [.. _all.Where(step => step.Kind == kind && step.Call!.Node.Index >= first && step.Call.Node.Index < end)];

    private Tensor Input(Tape tape, OpInput input, int index)
    {
        if (!IsParameter(input))
        {
            return tape.External(NameOf(index), New(input, (ulong)index, input.TypeFor(_type)));
        }

        Parameter parameter = _store[NameOf(index)];
        Draw(input, (ulong)index, _store.Values(parameter));
        Tensor tensor = tape.Use(parameter);
        _store.Changed();
        return input.IsWeight || !Case.CheckGradient ? tensor : BroadcastOp.Record(tape, tensor, input.Shape);
    }

    private View New(OpInput input, ulong key, DType type)
    {
        Layout layout = Layout.Of(input.Shape);
        DeviceBuffer buffer = Backend.Allocate(layout.Count * type.Size());
        _buffers.Add(buffer);
        var view = new View(buffer, 0, layout, type);
        Draw(input, key, view);
        return view;
    }

    private void Draw(OpInput input, ulong key, in View target)
    {
        if (!Backend.HoldsValues)
        {
            return;
        }

        double[] values = input.Draw(key);
        switch (target.Type)
        {
            case DType.Float64:
                Backend.Upload<double>(values, target);
                break;
            case DType.Int32:
                Backend.Upload<int>(Array.ConvertAll(values, v => (int)v), target);
                break;
            default:
                Backend.Write(Array.ConvertAll(values, v => (float)v), target);
                break;
        }
    }

    private double[] Read(in View source)
    {
        if (source.Type == DType.Float64)
        {
            var doubles = new double[source.Count];
            Backend.Download<double>(source, doubles);
            return doubles;
        }

        if (source.Type == DType.Int32)
        {
            var integers = new int[source.Count];
            Backend.Download<int>(source, integers);
            return Array.ConvertAll(integers, v => (double)v);
        }

        var floats = new float[source.Count];
        Backend.Read(source, floats);
        return Array.ConvertAll(floats, v => (double)v);
    }

    private void Run(PlanStep[] steps)
    {
        foreach (PlanStep step in steps)
        {
            step.Run(Backend);
        }
    }
}
