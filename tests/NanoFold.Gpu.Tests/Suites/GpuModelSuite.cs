using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Kernels;
using NanoFold.Tests.Mixers.References;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.Suites;

/// <summary>Every mixer, feed-forward and setting of a model on a GPU: loss and gradients are the CPU's, again the same bits, replayed, recomputed or not.</summary>
public class GpuModelSuite : GpuTests
{
    private static readonly HashSet<string> s_replayed = ["attention grouped", "gated-delta-net with shared keys"];

    private static IEnumerable<TestCaseData> Variants => ModelVariants.All.Select(v => Case(v.Name, v.Model, ModelVariants.Quick));

    private static IEnumerable<TestCaseData> Decoded => ModelVariants.All.Where(v => v.Model.WhyNotDecoded is null).Select(v => Case(v.Name, v.Model, ModelVariants.QuickToDecode));

    // A replay or a tap is the same code whatever surrounds it.
    private static IEnumerable<TestCaseData> Replayed => ModelVariants.All.Select(v => Case(v.Name, v.Model, s_replayed));

    [TestCaseSource(nameof(Variants))]
    public void LossAndGradientsAreThoseOfTheCpu(ModelConfig config)
    {
        using var exact = new TinyModel(config, Cpu);
        (double loss, double[] gradients) = exact.Train();
        using var model = new TinyModel(config, Gpu);
        (double gpuLoss, double[] gpuGradients) = model.Train();
        Assert.That(gpuLoss, Is.EqualTo(loss).Within(4e-6 * loss));
        Numbers.AssertClose(gpuGradients, gradients, 4e-5 * MixerReference.SensitivityOf(config), "gradients");
        (double again, double[] gradientsAgain) = model.Train(recompute: true);
        Assert.That(again, Is.EqualTo(gpuLoss));
        Numbers.AssertSameBits(gradientsAgain, gpuGradients, "recomputed");
    }

    [TestCaseSource(nameof(Replayed))]
    public void AReplayGivesTheSameBits(ModelConfig config)
    {
        using var model = new TinyModel(config, Gpu);
        using var plan = new Plan(model.TrainingTape());
        (double loss, double[] gradients) = model.Train(plan);
        using DeviceBuffer arena = Gpu.Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        for (int run = 0; run < (IsSimulated ? 1 : 3); run++)
        {
            Gpu.Fill(model.Store.AllGradients, 0);
            plan.Run();
            Assert.That(plan.Tape.Losses.Sum(l => Host.Read(Gpu, plan[l])[0]), Is.EqualTo(loss));
            Numbers.AssertSameBits(model.Gradients(), gradients, $"run {run}");
        }
    }

    [TestCaseSource(nameof(Replayed))]
    public void TapsChangeNoBit(ModelConfig config)
    {
        using var model = new TinyModel(config, Gpu);
        (double loss, double[] gradients) = model.Train();
        // Of the blocks: logits that are wanted are made by a head apart from the loss, on the CPU too.
        var reader = new Collector("blocks.*");
        (double tapped, double[] tappedGradients) = model.Train(new TapSet([reader]));
        Assert.That(reader.Read, Has.Count.GreaterThan(config.Layers));
        Assert.That(tapped, Is.EqualTo(loss));
        Numbers.AssertSameBits(tappedGradients, gradients, "tapped");
    }

    [TestCaseSource(nameof(Decoded))]
    public void DecodingWithACacheGivesTheLogitsOfTheWhole(ModelConfig config)
    {
        using var model = new TinyModel(config, Gpu, DType.Float32, batch: 2);
        double[] whole = model.Logits(model.Tokens);
        foreach (int chunk in IsSimulated ? [5] : new[] { 1, 3, 5 })
        {
            using var decoding = new Decoding(model, chunk);
            Numbers.AssertClose(decoding.Run((b, call) => (b + call) % (chunk + 1)), whole, 2e-5 * MixerReference.SensitivityOf(config), $"up to {chunk} at a time");
        }
    }

    private static TestCaseData Case(string name, ModelConfig model, IReadOnlySet<string> quick)
    {
        bool isQuick = quick.Contains(name);
        // A second layer reaches no other kernel.
        TestCaseData data = new TestCaseData(IsSimulated && isQuick && model.Pattern is null ? model with { Layers = 1 } : model).SetArgDisplayNames(name);
        return IsSimulated && !isQuick ? data.SetCategory("Long") : data;
    }
}
