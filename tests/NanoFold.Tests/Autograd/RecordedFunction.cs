using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Autograd;

/// <summary>A function of named parameters, recorded by hand; its loss is the result's product with fixed weights.</summary>
internal sealed class RecordedFunction : IDisposable
{
    private readonly List<IDisposable> _owned = [];
    private readonly Func<Tape, Func<string, Tensor>, Tensor> _function;

    public RecordedFunction(Backend backend, DType type, (string Name, int[] Shape)[] parameters, Func<Tape, Func<string, Tensor>, Tensor> function)
    {
        Store = new ParameterStore(backend, type);
        _owned.Add(Store);
        foreach ((string name, int[] shape) in parameters)
        {
            Store.Add(name, Layout.Of(shape), ParameterRole.Matrix, Initializer.Uniform(1));
        }

        Store.Allocate(7);
        _function = function;
    }

    public ParameterStore Store { get; }

    public void Record(Tape tape) => RecordLoss(tape);

    public Tensor RecordLoss(Tape tape)
    {
        Tensor y = _function(tape, name => tape.Use(Store[name]));
        double[] weights = Numbers.Uniform("weights", y.Layout.Count, 0.5, 1.5);
        Tensor loss = DotOp.Record(tape, y, tape.External("weights", Host.New(Store.Backend, Store.Type, y.Layout.ToShape(), weights, _owned)));
        tape.AddLoss(loss);
        return loss;
    }

    /// <summary>Runs a training tape once, in an arena full of NaN; gradients are added to what is there, or begin where NaN is.</summary>
    public double Run(bool recompute = false, bool begins = false)
    {
        var tape = new Tape(Store.Backend, Store.Type, training: true);
        Tensor loss = RecordLoss(tape);
        var plan = new Plan(tape, recompute, begins);
        if (begins)
        {
            Host.PoisonGradients(Store, plan);
        }

        using DeviceBuffer arena = Store.Backend.Allocate(plan.ArenaBytes);
        Host.FillNaN(Store.Backend, arena);
        plan.Bind(arena);
        plan.Run();
        return Host.Read(Store.Backend, plan[loss])[0];
    }

    public double[] Gradients() => [.. Store.Parameters.SelectMany(p => Host.Gradient(Store, p))];

    public void Dispose() => _owned.ForEach(o => o.Dispose());
}
