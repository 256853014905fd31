using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Training.Optimization;

/// <summary>Gradients clipped by their norm beside PyTorch's, which adds 1e-6 to the norm; and what else is published there.</summary>
[Category("Published")]
public class PublishedClippingTests
{
    private const double Added = 1e-6;

    private static readonly string[] s_names = ["W1", "W2", "v"];

    private static readonly Dictionary<string, string> s_refused = new()
    {
        ["clip_inf1"] = "gradients are clipped by their Euclidean norm only",
        ["clip_value0.25"] = "gradients are clipped by their Euclidean norm only",
        ["ema.torch_decay0.9"] = "no averages of weights",
        ["ema.zero_start_bias_corrected_decay0.9"] = "no averages of weights",
        ["ema.first_copy_then_warmup_decay"] = "no averages of weights",
    };

    private static string Folder => SharedData.Path("peers/optimizers");

    [TestCase("clip1.float64", 1, 1e-12)]
    [TestCase("clip1000.float64", 1000, 1e-12)]
    [TestCase("clip1.float32", 1, 1e-6)]
    [TestCase("clip1000.float32", 1000, 1e-6)]
    public void ClippedGradientsAreThoseOfPyTorch(string name, double clip, double tolerance)
    {
        var agreement = new CaseAgreement("optimizers", name);
        using SafeTensorsFile problem = SafeTensorsFile.Open(Path.Combine(Folder, "problem.safetensors")), expected = SafeTensorsFile.Open(Path.Combine(Folder, "ema_clip.safetensors"));
        DType type = name.EndsWith("64", StringComparison.Ordinal) ? DType.Float64 : DType.Float32;
        using var backend = new CpuBackend(1);
        using var store = new ParameterStore(backend, type);
        using StepState state = backend.NewState();
        Parameter[] parameters = [.. s_names.Select(one => store.Add(one, Layout.Of([.. expected[$"{name}.{one}"].Shape.Select(d => (int)d)]), ParameterRole.Head, Initializer.Zero))];
        store.Allocate(1);
        // A step of 1 from 0 against the gradient.
        TrainConfig config = new TrainConfig { Optimizer = new SgdConfig { Momentum = 0 }, LearningRate = 1, WeightDecay = 0, Clip = clip }.Resolve("nano");
        using var optimizer = new Optimizer(store, config, state);
        state.Set(StepSlot.Step, 1L);
        state.Set(StepSlot.LossScale, 1.0);
        state.Set(StepSlot.GradientSquares, 0.0);
        optimizer.Begin(1, 1);
        for (int i = 0; i < parameters.Length; i++)
        {
            double[] gradient = Doubles(problem, $"grads.{s_names[i]}");
            Host.Write(backend, store.Gradients(parameters[i]), gradient[..(int)parameters[i].Layout.Count]);
        }

        optimizer.Update();
        double norm = Doubles(expected, $"{name}.total_norm")[0];
        agreement.NearRelatively(Math.Sqrt(state.GetDouble(StepSlot.GradientSquares)), norm, tolerance, "norm, relative");
        for (int i = 0; i < parameters.Length; i++)
        {
            double[] found = Array.ConvertAll(Host.Read(backend, store.Values(parameters[i])), v => -v);
            agreement.Close(found, Doubles(expected, $"{name}.{s_names[i]}"), tolerance + (clip < norm ? Added / norm : 0), "gradients, relative", s_names[i]);
        }

        agreement.Record();
    }

    [Test]
    public void EveryFigureIsKnown()
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(Path.Combine(Folder, "ema_clip.safetensors"));
        string[] known = [.. s_refused.Keys, "clip1.", "clip1000.", "ema.inputs"];
        Assert.That(file.Tensors.Select(tensor => tensor.Name).Where(name => !known.Any(one => name.StartsWith(one, StringComparison.Ordinal))), Is.Empty);
        foreach ((string name, string reason) in s_refused)
        {
            CaseAgreement.Refused("optimizers", name, reason);
        }
    }

    private static double[] Doubles(SafeTensorsFile file, string name)
    {
        var values = new double[file[name].Count];
        file.Read(name, values.AsSpan());
        return values;
    }
}
