using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Training.Optimization;

/// <summary>What holds of every registered optimizer, with the settings it has by default.</summary>
public class EveryOptimizerTests
{
    private static IEnumerable<string> Kinds => Optimizers.All.Select(optimizer => optimizer.Kind);

    [TestCaseSource(nameof(Kinds))]
    public void ItGoesToTheMinimumOfASquare(string kind)
    {
        using var rig = new Rig(kind);
        double before = rig.Distance();
        for (int step = 1; step <= 200; step++)
        {
            rig.Step(step);
        }

        Assert.That(rig.Distance(), Is.LessThan(0.3 * before));
    }

    [TestCaseSource(nameof(Kinds))]
    public void ASkippedStepChangesNothing(string kind)
    {
        using var rig = new Rig(kind);
        rig.Step(1);
        rig.Step(2);
        double[] before = rig.All();
        rig.Step(3, loss: double.NaN);
        Assert.That(rig.All(), Is.EqualTo(before));
        rig.Step(4);
        Assert.That(rig.All(), Is.Not.EqualTo(before));
    }

    [TestCaseSource(nameof(Kinds))]
    public void TakenUpAgainItComesToTheSameBits(string kind)
    {
        using var rig = new TrainRig();
        rig.Train("straight", $"train.optimizer={kind}");
        rig.Train("stopped", $"train.optimizer={kind}", "train.stopAfter=5");
        rig.Resume("stopped", threads: 2);

        rig.AssertSame("stopped", "straight", 12);
    }

    /// <summary>A parameter of each role, and gradients p − target.</summary>
    private sealed class Rig : IDisposable
    {
        private readonly CpuBackend _backend = new(1);
        private readonly ParameterStore _store;
        private readonly StepState _state;
        private readonly Optimizer _optimizer;
        private readonly Parameter[] _parameters;
        private readonly double[][] _targets;

        public Rig(string kind)
        {
            _store = new ParameterStore(_backend, DType.Float64);
            _state = _backend.NewState();
            _parameters = [.. Enum.GetValues<ParameterRole>().Select(role => _store.Add($"{role}", Layout.Of(5, 8), role, Initializer.Zero))];
            _targets = [.. _parameters.Select(parameter => Numbers.Uniform(parameter.Name, 40, -1, 1))];
            _store.Allocate(1);
            _optimizer = new Optimizer(_store, new TrainConfig { Optimizer = Optimizers.Of(kind), LearningRate = 0.01, WeightDecay = 0, Clip = 0 }.Resolve("nano"), _state);
        }

        public void Step(int step, double loss = 1)
        {
            _state.Set(StepSlot.Step, (long)step);
            _state.Set(StepSlot.Loss, loss);
            _state.Set(StepSlot.GradientSquares, 0.0);
            _optimizer.Begin(step, 1);
            for (int i = 0; i < _parameters.Length; i++)
            {
                Host.Write(_backend, _store.Gradients(_parameters[i]), [.. Host.Read(_store, _parameters[i]).Zip(_targets[i], (p, target) => p - target)]);
            }

            _optimizer.Update();
        }

        /// <summary>The largest of a role, in the mean over its elements.</summary>
        public double Distance() => _parameters.Select((parameter, i) => Host.Read(_store, parameter).Zip(_targets[i], (p, target) => Math.Abs(p - target)).Average()).Max();

        public double[] All() => [.. _parameters.SelectMany(parameter => Host.Read(_store, parameter)), .. _optimizer.Slots.SelectMany(slot => Host.Read(_backend, slot.View(slot.All)))];

        public void Dispose()
        {
            _optimizer.Dispose();
            _state.Dispose();
            _store.Dispose();
            _backend.Dispose();
        }
    }
}
