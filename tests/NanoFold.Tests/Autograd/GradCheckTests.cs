using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Autograd;

public class GradCheckTests : EngineTests
{
    [Test]
    public void AWrongGradientIsFound()
    {
        using var store = new ParameterStore(Backend(), DType.Float64);
        Parameter x = store.Add("x", Layout.Of(5), ParameterRole.Matrix, Initializer.Uniform(1));
        store.Allocate(3);
        double[] before = Host.Read(store, x), weights = [1, 2, 3, 4, 5];
        var owned = new List<IDisposable>();
        View fixedWeights = Host.New(store.Backend, DType.Float64, [5], weights, owned);
        using var right = new GradCheck(store, tape => Record(tape, new AddOp()));
        using var wrong = new GradCheck(store, tape => Record(tape, new HalfGradient()));

        Assert.That(right.Loss, Is.EqualTo(2 * before.Zip(weights, (v, w) => v * w).Sum()).Within(1e-12));
        Assert.That(right.Gradient(x), Is.EqualTo(weights.Select(w => 2 * w)));
        Assert.That(wrong.At(x, 1).Relative, Is.GreaterThan(0.01));
        Assert.That(wrong.Worst().Relative, Is.GreaterThan(0.01));
        Assert.That(Host.Read(store, x), Is.EqualTo(before));
        owned.ForEach(o => o.Dispose());

        void Record(Tape tape, Op op)
        {
            Tensor p = tape.Use(x);
            tape.AddLoss(DotOp.Record(tape, tape.Record(op, [p, p], p.Layout), tape.External("weights", fixedWeights)));
        }
    }

    [Test]
    public void ItAsksForDoublesAndForALoss()
    {
        using var single = new ParameterStore(Backend());
        Assert.That(() => new GradCheck(single, _ => { }), Throws.ArgumentException.With.Message.Contains("Float64"));
        using var twice = new ParameterStore(Backend(), DType.Float64);
        twice.Add("x", Layout.Of(1), ParameterRole.Matrix, Initializer.One);
        twice.Allocate(1);
        Assert.That(() => new GradCheck(twice, _ => { }), Throws.ArgumentException.With.Message.Contains("no loss"));
        using var vector = new ParameterStore(Backend(), DType.Float64);
        Parameter x = vector.Add("x", Layout.Of(2, 3), ParameterRole.Matrix, Initializer.One);
        vector.Allocate(1);
        Assert.That(
            () => new GradCheck(vector, tape => tape.AddLoss(AddOp.Record(tape, tape.Use(x), tape.Use(x)))),
            Throws.ArgumentException.With.Message.Contains("a loss is Float64[2, 3], not one number; add up its elements first"));
    }

    /// <summary>a + b that forgets half of the gradient.</summary>
    private sealed class HalfGradient : Op
    {
        public override string Name => "half";

        public override void Forward(Backend backend, OpCall call)
        {
            backend.Copy(call.Input(0), call.Output(0));
            backend.Copy(call.Input(1), call.Output(0), accumulate: true);
        }

        public override void Backward(Backend backend, OpCall call) =>
            backend.Copy(call.OutputGradient(0), call.InputGradient(0), call.Accumulates(0));
    }
}
