using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Model;

/// <summary>Logits, losses, gradients and ten optimizer steps beside another implementation's, computed in float64.</summary>
public class OracleTests : EngineTests
{
    private static IEnumerable<TestCaseData> Cases()
    {
        // Every file: one of a kind or with an option that the engine does not know fails.
        string[] files = [.. new[] { "oracle", "oracle-lab" }.Select(SharedData.Find).OfType<string>()
            .SelectMany(folder => Directory.GetFiles(folder, "*.safetensors").Order(StringComparer.Ordinal))];
        files = files.Length > 0 ? files : ["absent"];
        foreach (string path in files)
        {
            yield return new TestCaseData(path, DType.Float64, 1e-9, 1e-9).SetArgDisplayNames(Path.GetFileNameWithoutExtension(path), "Float64");
            yield return new TestCaseData(path, DType.Float32, 1e-4, 1e-3).SetArgDisplayNames(Path.GetFileNameWithoutExtension(path), "Float32");
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void TheEngineAgrees(string path, DType type, double tolerance, double trainingTolerance)
    {
        _ = SharedData.Path("oracle");
        foreach (bool composedOnly in new[] { false, true })
        {
            using var oracle = new OracleModel(path, Backend(composedOnly: composedOnly), type);
            using var training = new Training(oracle);
            Numbers.AssertClose(training.Logits(), oracle.Reals("logits"), tolerance, "logits");
            (double crossEntropy, double loss) = training.Run();
            Assert.That(crossEntropy, Is.EqualTo(oracle.Reals("crossEntropy")[0]).Within(100 * tolerance).Percent, "cross-entropy");
            Assert.That(loss, Is.EqualTo(oracle.Reals("loss")[0]).Within(100 * tolerance).Percent, "loss");
            foreach (Parameter parameter in oracle.Model.Store.Parameters.Where(p => !p.Frozen))
            {
                Numbers.AssertClose(Host.Gradient(oracle.Model.Store, parameter), oracle.Gradient(parameter), tolerance, $"gradient of {parameter}");
            }

            if (!composedOnly)
            {
                Numbers.AssertClose(training.AdamW(10), oracle.Reals("adamwLosses"), trainingTolerance, "losses of ten AdamW steps");
            }
        }
    }

    /// <summary>One batch of a case, run again and again.</summary>
    private sealed class Training : IDisposable
    {
        private readonly OracleModel _oracle;
        private readonly Backend _backend;
        private readonly ParameterStore _store;
        private readonly List<IDisposable> _owned = [];
        private readonly StepState _state;
        private readonly Tensor _crossEntropy;
        private readonly View _tokens;
        private readonly Plan _plan;

        public Training(OracleModel oracle)
        {
            _oracle = oracle;
            _store = oracle.Model.Store;
            _backend = _store.Backend;
            int[] shape = [oracle.Batch, oracle.Config.Context], targets = oracle.Integers("targets");
            _state = _backend.NewState();
            _owned.Add(_state);
            _tokens = Host.New(_backend, shape, oracle.Integers("tokens"), _owned);
            View targetView = Host.New(_backend, shape, targets, _owned);
            _state.Set(StepSlot.TargetCount, (long)targets.Count(t => t >= 0));
            var tape = new Tape(_backend, _store.Type, training: true) { State = _state };
            _crossEntropy = oracle.Model.RecordLoss(tape, tape.External("tokens", _tokens), tape.External("targets", targetView)).Loss;
            _plan = Bound(tape);
        }

        public double[] Logits()
        {
            var tape = new Tape(_backend, _store.Type);
            Tensor logits = _oracle.Model.RecordLogits(tape, tape.External("tokens", _tokens));
            tape.Keep(logits);
            Plan plan = Bound(tape);
            plan.Run();
            return Host.Read(_backend, plan[logits]);
        }

        /// <summary>Cross-entropy, and the loss with the routers' terms, as the state adds them up; sets the gradients.</summary>
        public (double CrossEntropy, double Loss) Run()
        {
            _backend.Fill(_store.AllGradients, 0);
            _state.ClearLosses();
            _plan.Run();
            double sum = _plan.Tape.Losses.Sum(loss => Host.Read(_backend, _plan[loss])[0]);
            double crossEntropy = Host.Read(_backend, _plan[_crossEntropy])[0];
            Assert.That(_state.GetDouble(StepSlot.Loss), Is.EqualTo(crossEntropy).Within(1e-6 * sum));
            Assert.That(crossEntropy + _plan.Tape.LossTerms.Sum(term => _state.GetDouble(term.Slot)), Is.EqualTo(sum).Within(1e-6 * sum));
            return (crossEntropy, sum);
        }

        /// <summary>The loss before each of some full-batch steps: the case's rate, β .9/.95, ε 1e-8, no decay, no clipping.</summary>
        public double[] AdamW(int steps)
        {
            long count = _store.TrainedElements;
            (View values, View gradients) = (_store.Values(_store.Trained), _store.AllGradients);
            View first = Host.New(_backend, _store.Type, [(int)count], new double[count], _owned);
            View second = Host.New(_backend, _store.Type, [(int)count], new double[count], _owned);
            _state.Set(StepSlot.LearningRate, _oracle.LearningRate);
            var losses = new double[steps];
            for (int step = 0; step < steps; step++)
            {
                _state.Set(StepSlot.Step, step + 1L);
                losses[step] = Run().Loss;
                _state.Set(StepSlot.GradientSquares, 0.0);
                _backend.Run(new AddSquaresCall(_state, _store.AllGradients));
                _backend.Run(new DecideCall(_state, Clip: 0, DynamicLossScale: false));
                _backend.Run(new AdamWCall(_state, values, gradients, first, second, 0.9, 0.95, 1e-8, Decay: 0));
            }

            return losses;
        }

        public void Dispose() => _owned.ForEach(o => o.Dispose());

        private Plan Bound(Tape tape)
        {
            var plan = new Plan(tape);
            DeviceBuffer arena = _backend.Allocate(plan.ArenaBytes);
            _owned.Add(arena);
            plan.Bind(arena);
            return plan;
        }
    }
}
