using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Autograd;

/// <summary>
/// Compares the gradients of a recorded function with central differences (f(p + h·v) − f(p − h·v)) / 2h, in float64: for authors of ops
/// and modules. f is the sum of the losses that the recording adds; parameters are put back as they were.
/// </summary>
public sealed class GradCheck : IDisposable
{
    private readonly ParameterStore _store;
    private readonly Plan _plan;
    private readonly DeviceBuffer _arena;
    private readonly double[] _values;
    private readonly double[] _gradients;
    private readonly double _largest;
    private readonly double _step;

    /// <summary>Records the function and computes its gradients once.</summary>
    /// <param name="store">The parameters, allocated, in float64.</param>
    /// <param name="record">Records on a training tape and calls <see cref="Tape.AddLoss"/> with numbers: values of one element.</param>
    /// <param name="taps">Editors that the function passes, or null.</param>
    /// <param name="step">h, for directions of length 1.</param>
    public GradCheck(ParameterStore store, Action<Tape> record, TapSet? taps = null, double step = 1e-5)
    {
        _store = store.Type == DType.Float64
            ? store
            : throw new ArgumentException($"gradient check: the parameters are {store.Type}; differences need Float64", nameof(store));
        _step = step;
        var tape = new Tape(store.Backend, DType.Float64, training: true, taps);
        record(tape);
        if (tape.Losses.Count == 0)
        {
            throw new ArgumentException("gradient check: the recording added no loss", nameof(record));
        }

        if (tape.Losses.FirstOrDefault(loss => loss.Layout.Count > 1) is { IsNone: false } vector)
        {
            throw new ArgumentException(
                $"gradient check: a loss is {vector}, not one number; add up its elements first, by fixed random weights: DotOp.Record(tape, y, weights)", nameof(record));
        }

        _plan = new Plan(tape);
        _arena = store.Backend.Allocate(_plan.ArenaBytes);
        _plan.Bind(_arena);
        _values = new double[store.TrainedElements];
        _gradients = new double[store.TrainedElements];
        store.Backend.Download<double>(Trained, _values);
        store.Backend.Fill(store.AllGradients, 0);
        _plan.Run();
        Loss = ReadLoss();
        store.Backend.Download<double>(store.AllGradients, _gradients);
        _largest = _gradients.Max(Math.Abs);
    }

    /// <summary>The function's value.</summary>
    public double Loss { get; }

    private View Trained => _store.Values(_store.Trained);

    /// <summary>The gradient of a parameter, row-major.</summary>
    public double[] Gradient(Parameter parameter) => _gradients.AsSpan((int)parameter.Offset, (int)parameter.Layout.Count).ToArray();

    /// <summary>
    /// Checks each trained parameter along a random direction and at a few of its elements, and all of them together.
    /// </summary>
    /// <param name="seed">Of directions and of the choice of elements.</param>
    /// <param name="elements">Single elements per parameter.</param>
    public IReadOnlyList<GradientDifference> Run(int seed = 1, int elements = 2)
    {
        var random = new Random(seed);
        Parameter[] trained = [.. _store.Parameters.Where(p => !p.Frozen)];
        var differences = new List<GradientDifference> { Along(trained, random) };
        foreach (Parameter parameter in trained)
        {
            differences.Add(Along([parameter], random));
            for (int i = 0; i < Math.Min(elements, parameter.Layout.Count); i++)
            {
                differences.Add(At(parameter, random.Next((int)parameter.Layout.Count)));
            }
        }

        return differences;
    }

    /// <summary>The difference of <see cref="Run"/> that is relatively largest.</summary>
    public GradientDifference Worst(int seed = 1, int elements = 2) => Run(seed, elements).MaxBy(d => double.IsNaN(d.Relative) ? double.MaxValue : d.Relative);

    /// <summary>Checks one element.</summary>
    public GradientDifference At(Parameter parameter, int element)
    {
        var direction = new double[_values.Length];
        direction[parameter.Offset + element] = 1;
        return Compare($"{parameter.Name}[{element}]", direction, Largest([parameter]));
    }

    public void Dispose() => _arena.Dispose();

    private GradientDifference Along(Parameter[] parameters, Random random)
    {
        var direction = new double[_values.Length];
        foreach (Parameter parameter in parameters)
        {
            for (long i = 0; i < parameter.Layout.Count; i++)
            {
                direction[parameter.Offset + i] = random.NextDouble() * 2 - 1;
            }
        }

        double length = Math.Sqrt(direction.Sum(v => v * v));
        for (int i = 0; i < direction.Length; i++)
        {
            direction[i] /= length;
        }

        string name = parameters.Length == 1 ? parameters[0].Name : "all parameters";
        return Compare($"{name} along a direction", direction, Largest(parameters));
    }

    // Gradients that vanish by symmetry (of a key's bias, say) are compared with the largest of all.
    private double Largest(Parameter[] parameters) => Math.Max(1e-3 * _largest, parameters.Max(p => Gradient(p).Max(Math.Abs)));

    private GradientDifference Compare(string name, double[] direction, double scale)
    {
        double analytic = 0;
        for (int i = 0; i < direction.Length; i++)
        {
            analytic += _gradients[i] * direction[i];
        }

        double numeric = (Shifted(direction, _step) - Shifted(direction, -_step)) / (2 * _step);
        _store.Backend.Upload<double>(_values, Trained);
        return new(name, analytic, numeric, analytic == numeric ? 0 : Math.Abs(analytic - numeric) / scale);
    }

    private double Shifted(double[] direction, double step)
    {
        var shifted = new double[_values.Length];
        for (int i = 0; i < shifted.Length; i++)
        {
            shifted[i] = _values[i] + step * direction[i];
        }

        _store.Backend.Upload<double>(shifted, Trained);
        _plan.RunForward();
        return ReadLoss();
    }

    private double ReadLoss()
    {
        double sum = 0;
        Span<double> loss = stackalloc double[1];
        foreach (Tensor tensor in _plan.Tape.Losses)
        {
            _store.Backend.Download(_plan[tensor], loss);
            sum += loss[0];
        }

        return sum;
    }
}

/// <summary>A gradient beside its central difference.</summary>
/// <param name="Name">The parameter, and where in it.</param>
/// <param name="Analytic">By the backward pass.</param>
/// <param name="Numeric">By the central difference.</param>
/// <param name="Relative">Their difference relative to the parameter's largest gradient.</param>
public readonly record struct GradientDifference(string Name, double Analytic, double Numeric, double Relative);
