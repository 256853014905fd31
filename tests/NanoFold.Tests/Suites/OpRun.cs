using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Tests.Suites;

/// <summary>
/// An op's case recorded on a backend: real inputs without fixed values are parameters, the rest is external; with a gradient the loss is the
/// outputs' products with fixed weights. Gradients of parameters are added to what is there; with copies in between they overwrite.
/// </summary>
internal sealed class OpRun : IDisposable
{
    private readonly Backend _backend;
    private readonly DType _type;
    private readonly DType _rounded;
    private readonly List<IDisposable> _owned = [];
    private readonly bool _copied;
    private readonly bool _begins;
    private readonly IReadOnlyList<Tensor> _outputs;
    private Plan? _plan;

    /// <param name="opCase">What to run.</param>
    /// <param name="backend">Where.</param>
    /// <param name="arithmetic">Type of the activations, and how products round.</param>
    /// <param name="copied">Whether the op reads copies of the parameters; with 16 bits it does of all but weights.</param>
    /// <param name="trained">The one input that is trained, or null for all.</param>
    /// <param name="rounded">The type that holds all numbers given; that of the activations where it is null.</param>
    /// <param name="begins">Whether gradients of parameters are begun where NaN is.</param>
    public OpRun(OpCase opCase, Backend backend, Arithmetic arithmetic, bool copied = false, int? trained = null, DType? rounded = null, bool begins = false)
    {
        _begins = begins;
        DType type = arithmetic.Type;
        _copied = copied;
        Case = opCase;
        _backend = backend;
        _type = type;
        _rounded = rounded ?? type;
        Store = new ParameterStore(backend, type.Sum());
        _owned.Add(Store);
        double[][] values = Values(opCase, _rounded);
        for (int i = 0; i < values.Length; i++)
        {
            if (IsParameter(opCase.Inputs[i]))
            {
                Store.Add($"input {i}", Layout.Of(opCase.Inputs[i].Shape), ParameterRole.Matrix, Initializer.Zero);
            }
        }

        Store.Allocate(null, trained is { } only ? new NameGlobs("trained", [$"input {only}"]) : null);
        foreach (Parameter parameter in Store.Parameters)
        {
            Host.Write(Store, parameter, values[Index(parameter)]);
        }

        Tape = new Tape(backend, arithmetic, training: opCase.CheckGradient);
        _outputs = Record(Tape);
        foreach (Tensor output in _outputs)
        {
            Tape.Keep(output);
        }
    }

    public OpCase Case { get; }

    public ParameterStore Store { get; }

    public Tape Tape { get; }

    /// <summary>The inputs, as the reference is given them.</summary>
    public static double[][] Values(OpCase opCase, DType type = DType.Float32) =>
        [.. opCase.Inputs.Select((input, i) => Host.Rounded(input.Values ?? Draw($"{opCase.Name} {i}", input), input.TypeFor(type)))];

    /// <summary>Runs it once; returns the outputs, one after the other.</summary>
    public double[] Run()
    {
        if (_plan is null)
        {
            _plan = new Plan(Tape, overwrites: _begins);
            DeviceBuffer arena = _backend.Allocate(_plan.ArenaBytes);
            _owned.Add(arena);
            Host.FillNaN(_backend, arena);
            _plan.Bind(arena);
        }

        if (_begins)
        {
            Host.PoisonGradients(Store, _plan);
        }
        else if (Store.TrainedElements > 0)
        {
            _backend.Fill(Store.AllGradients, 0);
        }

        _plan.Run();
        return [.. _outputs.SelectMany(output => Host.Read(_backend, _plan[output]))];
    }

    /// <summary>The gradients of all parameters after a run, one after the other.</summary>
    public double[] Gradients() => [.. Store.Parameters.Where(p => !p.Frozen).SelectMany(p => Host.Gradient(Store, p))];

    public double[] Gradient(int input) => Host.Gradient(Store, Store[$"input {input}"]);

    /// <summary>Indices of the inputs that are parameters.</summary>
    public IEnumerable<int> Parameters => Store.Parameters.Select(Index);

    /// <summary>Fails where a kernel wrote between the parameters or their gradients.</summary>
    public void AssertGapsUntouched()
    {
        if (Store.TrainedElements == 0)
        {
            return;
        }

        foreach (View view in (View[])[Store.Values(Store.Trained), Store.AllGradients])
        {
            double[] all = Host.Read(_backend, view);
            foreach (Parameter parameter in Store.Parameters)
            {
                Array.Clear(all, (int)parameter.Offset, (int)parameter.Layout.Count);
            }

            Assert.That(all, Is.All.Zero, $"{Case}: wrote outside its views");
        }
    }

    /// <summary>Records the case, with its loss where it has a gradient; returns the op's outputs.</summary>
    public IReadOnlyList<Tensor> Record(Tape tape)
    {
        double[][] values = Values(Case, _rounded);
        IReadOnlyList<Tensor> outputs = Case.Record(tape, [.. Case.Inputs.Select((input, i) => Input(tape, input, i, values[i]))]).Tensors;
        for (int i = 0; Case.CheckGradient && i < outputs.Count; i++)
        {
            Tensor output = outputs[i];
            double[] weights = Host.Rounded(Numbers.Uniform(i == 0 ? $"{Case.Name} weights" : $"{Case.Name} weights {i}", output.Layout.Count, 0.5, 1.5), _rounded);
            View view = Host.New(_backend, output.Type, output.Layout.ToShape(), weights, _owned);
            tape.AddLoss(DotOp.Record(tape, output, tape.External("weights", view)));
        }

        return outputs;
    }

    public void Dispose() => _owned.ForEach(o => o.Dispose());

    private Tensor Input(Tape tape, OpInput input, int index, double[] values)
    {
        if (!IsParameter(input))
        {
            return tape.External($"input {index}", Host.New(_backend, input.TypeFor(_type), input.Shape, values, _owned));
        }

        Tensor parameter = tape.Use(Store[$"input {index}"]);
        return _copied || (_type.Is16Bit() && !input.IsWeight) ? BroadcastOp.Record(tape, parameter, input.Shape) : parameter;
    }

    private static bool IsParameter(OpInput input) => !input.IsInteger && input.Values is null;

    private static int Index(Parameter parameter) => int.Parse(parameter.Name.AsSpan("input ".Length), System.Globalization.CultureInfo.InvariantCulture);

    private static double[] Draw(string name, OpInput input)
    {
        long count = input.Shape.Aggregate(1L, (product, n) => product * n);
        return input.IsInteger
            ? Array.ConvertAll(Numbers.Integers(name, count, (int)input.Low, (int)input.High), v => (double)v)
            : Numbers.Uniform(name, count, input.Low, input.High);
    }
}
