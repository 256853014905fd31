using System.Text.Json.Nodes;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Training.Optimization;

/// <summary>Optimizers beside those of PyTorch and pytorch_optimizer: where three parameters are after each of 20 steps along given gradients.</summary>
[Category("Published")]
public class PublishedOptimizerTests
{
    private const int Steps = 20;
    private const double Exact = 1e-12;

    private static readonly string[] s_all = ["W1", "W2", "v"];

    /// <summary>What there is no optimizer, or no setting, for, and why.</summary>
    private static readonly Dictionary<string, string> s_refused = new()
    {
        ["adamw_amsgrad"] = "AMSGrad's largest second moment is no setting",
        ["adam_l2"] = "decay that is added to gradients is no setting of Adam's",
        ["sgd_dampening"] = "dampening is no setting",
        ["torch_adafactor"] = "no Adafactor",
        ["po_adafactor"] = "no Adafactor",
        ["hf_adafactor"] = "no Adafactor",
        ["hf_adafactor_relative"] = "no Adafactor",
        ["soap"] = "no SOAP",
        ["schedulefree_adamw"] = "no schedule-free optimizers",
        ["schedulefree_adamw_nowarm"] = "no schedule-free optimizers",
        ["schedulefree_sgd"] = "no schedule-free optimizers",
        ["radam"] = "no RAdam",
        ["nadam"] = "no NAdam",
        ["rmsprop"] = "no RMSprop",
        ["adagrad"] = "no Adagrad",
    };

    private static readonly Dictionary<string, Case> s_cases = new()
    {
        ["adamw"] = new(new AdamWConfig { Beta2 = 0.95 }, 0.01, 0.1),
        ["adamw_f32"] = new(new AdamWConfig { Beta2 = 0.95 }, 0.01, 0.1) { Type = DType.Float32, Tolerance = 2e-6 },
        ["adamw_defaults"] = new(new AdamWConfig { Beta2 = 0.999 }, 0.001, 0.01),
        ["adamw_eps1e-3"] = new(new AdamWConfig { Beta2 = 0.999, Epsilon = 1e-3 }, 0.01, 0),
        ["adamw_lr_changing"] = new(new AdamWConfig { Beta2 = 0.95 }, 0.01, 0.1) { Factor = step => Math.Min(1, step / 5.0) * (1 - ((step - 1) / 20.0)) },
        ["sgd"] = new(new SgdConfig { Momentum = 0 }, 0.05, 0),
        ["sgd_momentum"] = new(new SgdConfig(), 0.05, 0),
        ["sgd_momentum_wd"] = new(new SgdConfig(), 0.05, 0.1),
        ["sgd_nesterov"] = new(new SgdConfig { Nesterov = true }, 0.05, 0),
        ["lion"] = new(new LionConfig(), 0.01, 0.1),
        ["ademamix"] = new(new AdEMAMixConfig(), 0.01, 0.1),
        ["muon_exact_float64"] = Muon(new() { MatrixLearningRate = 0.02, MatrixWeightDecay = 0.1 }) with { Tolerance = Exact, TolerancePerStep = double.PositiveInfinity },
        ["muon_defaults"] = Muon(new() { MatrixLearningRate = 0.001, MatrixWeightDecay = 0.1 }),
        ["muon_lr02"] = Muon(new() { MatrixLearningRate = 0.02 }),
        ["muon_lr02_wd01"] = Muon(new() { MatrixLearningRate = 0.02, MatrixWeightDecay = 0.1 }),
        ["muon_match_rms"] = Muon(new() { MatrixLearningRate = 0.02, MatrixWeightDecay = 0.1, Adjust = MuonAdjustment.MatchRms }),
        ["muon_no_nesterov"] = Muon(new() { MatrixLearningRate = 0.02, MatrixWeightDecay = 0.1, Nesterov = false }),
        ["muon_steps3"] = Muon(new() { MatrixLearningRate = 0.02, MatrixWeightDecay = 0.1, Iterations = 3 }),
    };

    private static string Folder => SharedData.Path("peers/optimizers");

    [Test]
    public void StepsAreThoseOfThePublishedOptimizers()
    {
        using SafeTensorsFile problem = SafeTensorsFile.Open(Path.Combine(Folder, "problem.safetensors"));
        using SafeTensorsFile runs = SafeTensorsFile.Open(Path.Combine(Folder, "optimizers.safetensors"));
        string[] names = [.. JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "optimizers.json")))!.AsObject().Select(run => run.Key)];
        Assert.That(names.Except(s_refused.Keys).Except(["newton_schulz"]), Is.SubsetOf(s_cases.Keys), "runs that no test knows");
        foreach ((string run, Case own) in s_cases)
        {
            var agreement = new CaseAgreement("optimizers", run);
            Assert.That(names, Does.Contain(run));
            double[][][] found = Train(problem, own);
            for (int i = 0; i < own.Names.Length; i++)
            {
                double[][] expected = Rows(runs, $"{run}.{own.Names[i]}");
                for (int step = 0; step < Steps; step++)
                {
                    Assert.That(found[i][step], Is.EqualTo(expected[step]).Within(Math.Min(own.Tolerance, own.TolerancePerStep * (step + 1))), $"{run}: {own.Names[i]} after step {step + 1}");
                    agreement.Off(found[i][step].Zip(expected[step], (a, b) => Math.Abs(a - b)).Max(), own.Tolerance, "parameters");
                }
            }

            agreement.Record();
        }

        foreach ((string run, string reason) in s_refused)
        {
            CaseAgreement.Refused("optimizers", run, reason);
        }
    }

    [TestCase("W1", 6, 10)]
    [TestCase("W2", 12, 5)]
    public void FiveIterationsAreThePublishedOnes(string name, int rows, int columns)
    {
        using SafeTensorsFile problem = SafeTensorsFile.Open(Path.Combine(Folder, "problem.safetensors"));
        using SafeTensorsFile runs = SafeTensorsFile.Open(Path.Combine(Folder, "optimizers.safetensors"));
        using var backend = new CpuBackend(1);
        using var store = new ParameterStore(backend, DType.Float64);
        using StepState state = backend.NewState();
        using var builder = new OptimizerBuilder(store, state);
        var iterations = new NewtonSchulz(builder, [(rows, columns)]);
        using DeviceBuffer buffer = backend.Allocate(rows * columns * sizeof(double));
        var matrix = new View(buffer, 0, Layout.Of(rows, columns), DType.Float64);
        Host.Write(backend, matrix, Rows(problem, $"grads.{name}")[0]);
        state.Set(StepSlot.GradientScale, 1.0);
        iterations.Apply(state, [matrix]);

        var agreement = new CaseAgreement("optimizers", $"newton_schulz {name}");
        agreement.Off(Host.Read(backend, matrix).Zip(Rows(runs, $"newton_schulz.{name}.float64").SelectMany(row => row), (a, b) => Math.Abs(a - b)).Max(), Exact, "matrix after five iterations");
        agreement.Record();
    }

    // Newton–Schulz is in bfloat16 in PyTorch: an element of the update may be off by a fiftieth, times the rate, which is √(12 ÷ 5) larger for W2.
    private static Case Muon(MuonConfig config) => new(config, 1, 0)
    {
        Role = ParameterRole.Matrix, Names = ["W1", "W2"], Tolerance = 2e-2 * config.MatrixLearningRate!.Value * Steps, TolerancePerStep = 2e-2 * config.MatrixLearningRate.Value * Math.Sqrt(12.0 / 5),
    };

    // [parameter][step]: its values after the step.
    private static double[][][] Train(SafeTensorsFile problem, Case own)
    {
        using var backend = new CpuBackend(1);
        using var store = new ParameterStore(backend, own.Type);
        using StepState state = backend.NewState();
        Parameter[] parameters = [.. own.Names.Select(name => store.Add(name, Layout.Of([.. problem[$"init.{name}"].Shape.Select(d => (int)d)]), own.Role, Initializer.Zero))];
        store.Allocate(1);
        TrainConfig config = new TrainConfig { Optimizer = own.Optimizer, LearningRate = own.Rate, WeightDecay = own.Decay, Clip = 0 }.Resolve("nano");
        using var optimizer = new Optimizer(store, config, state);
        double[][][] gradients = [.. own.Names.Select(name => Rows(problem, $"grads.{name}"))];
        for (int i = 0; i < parameters.Length; i++)
        {
            Host.Write(backend, store.Values(parameters[i]), [.. Rows(problem, $"init.{own.Names[i]}").SelectMany(row => row)]);
        }

        double[][][] found = [.. parameters.Select(_ => new double[Steps][])];
        for (int step = 1; step <= Steps; step++)
        {
            state.Set(StepSlot.Step, (long)step);
            state.Set(StepSlot.GradientSquares, 0.0);
            optimizer.Begin(step, own.Factor(step));
            for (int i = 0; i < parameters.Length; i++)
            {
                Host.Write(backend, store.Gradients(parameters[i]), gradients[i][step - 1]);
            }

            optimizer.Update();
            for (int i = 0; i < parameters.Length; i++)
            {
                found[i][step - 1] = Host.Read(backend, store.Values(parameters[i]));
            }
        }

        return found;
    }

    // By the first dimension.
    private static double[][] Rows(SafeTensorsFile file, string name)
    {
        SafeTensorInfo info = file[name];
        var values = new double[info.Count];
        file.Read(name, values.AsSpan());
        return [.. values.Chunk((int)(info.Count / info.Shape[0]))];
    }

    /// <summary>A run. Heads have Adam's update with every optimizer, and decay.</summary>
    private sealed record Case(OptimizerConfig Optimizer, double Rate, double Decay)
    {
        public string[] Names { get; init; } = s_all;

        public ParameterRole Role { get; init; } = ParameterRole.Head;

        public DType Type { get; init; } = DType.Float64;

        public double Tolerance { get; init; } = Exact;

        /// <summary>Where the other side rounds the update of every step: what is allowed grows with them.</summary>
        public double TolerancePerStep { get; init; } = double.PositiveInfinity;

        public Func<int, double> Factor { get; init; } = _ => 1;
    }
}
