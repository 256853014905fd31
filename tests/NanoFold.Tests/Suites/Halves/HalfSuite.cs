using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Kernels;
using NanoFold.Tests.FeedForward.References;
using NanoFold.Tests.Mixers.References;

namespace NanoFold.Tests.Suites.Halves;

/// <summary>Every op and every model with activations of 16 bits, on the emulated device, beside single precision.</summary>
[Parallelizable]
public sealed class HalfSuite : EngineTests
{
    // Keeps the small gradients of a tiny model's mean loss in the range of half precision.
    private const double LossScale = 1024;

    private static readonly DType[] s_types = [DType.BFloat16, DType.Float16];

    private readonly HalfBackend _fused = new();
    private readonly HalfBackend _composed = new(composedOnly: true);

    private static IEnumerable<TestCaseData> Cases => OpCases.All.Where(c => c.Takes16Bits).Select(c => new TestCaseData(c).SetArgDisplayNames(c.Name));

    private static IEnumerable<TestCaseData> Variants => ModelVariants.All.Select(v => new TestCaseData(v.Model).SetArgDisplayNames(v.Name));

    [OneTimeTearDown]
    public void DisposeBackends()
    {
        _fused.Dispose();
        _composed.Dispose();
    }

    [TestCaseSource(nameof(Cases))]
    public void OpsAreThoseOfSinglePrecisionButForRounding(OpCase opCase)
    {
        foreach (DType type in s_types)
        {
            double[] expected = opCase.Reference(OpRun.Values(opCase, type));
            using var exact = new OpRun(opCase, Backend(), DType.Float64, copied: true, rounded: type);
            exact.Run();
            // Composed, the keys are chosen by weights that are rounded.
            HalfBackend[] backends = opCase.Name.StartsWith("top-", StringComparison.Ordinal) ? [_fused] : [_fused, _composed];
            foreach (HalfBackend backend in backends)
            {
                using var run = new OpRun(opCase, backend, type);
                Numbers.AssertClose(run.Run(), expected, 4 * Rounding(type), $"{opCase} in {type} on {backend.Name}");
                run.AssertGapsUntouched();
                if (opCase.CheckGradient)
                {
                    Numbers.AssertClose(run.Gradients(), exact.Gradients(), 8 * Rounding(type), $"gradients of {opCase} in {type} on {backend.Name}");
                }
            }
        }
    }

    [TestCaseSource(nameof(Variants))]
    public void ModelsAreThoseOfSinglePrecisionButForRounding(ModelConfig config)
    {
        // Rounding may choose another expert or key, or the other side of a kink, and then the gradient is another one.
        ModelConfig resolved = config.Resolve();
        bool chooses = resolved.LayerConfigs().Any(l => FeedForwardReference.Of(l.FeedForward).Chooses || l.Mixer.Traits(resolved).Chooses);
        bool jumps = chooses || resolved.LayerConfigs().Any(l => FeedForwardReference.Of(l.FeedForward).HasKink);
        using var single = new TinyModel(config, Backend());
        (double loss, double[] gradients) = single.Train();
        foreach (DType type in s_types)
        {
            foreach (HalfBackend backend in (HalfBackend[])[_fused, _composed])
            {
                using var model = new TinyModel(config, backend, type, lossScale: LossScale);
                (double halfLoss, double[] halfGradients) = model.Train();
                Assert.That(halfLoss, Is.EqualTo(loss).Within((chooses ? 100 : 8) * Rounding(type) * loss), $"{type} on {backend.Name}");
                Assert.That(halfGradients, Is.All.Matches<double>(double.IsFinite));
                if (!jumps)
                {
                    Assert.That(Angle([.. halfGradients.Select(g => g / LossScale)], gradients), Is.LessThan(32 * MixerReference.SensitivityOf(config) * Rounding(type)), $"{type} on {backend.Name}");
                }
            }
        }
    }

    [TestCaseSource(nameof(Variants))]
    public void TapsRecomputationAndMemoryOfItsOwnGiveTheSameBits(ModelConfig config)
    {
        foreach (DType type in s_types)
        {
            using var model = new TinyModel(config, _fused, type, lossScale: LossScale);
            (double loss, double[] gradients) = model.Train();
            var body = new Collector("blocks.*");
            (double tappedLoss, double[] tapped) = model.Train(new TapSet([body]));
            Assert.That(tappedLoss, Is.EqualTo(loss));
            // Scores of what a query does not see are −∞.
            Assert.That(body.Read.SelectMany(r => r.Name.EndsWith("hook_attn_scores", StringComparison.Ordinal) ? r.Values.Where(v => !double.IsNegativeInfinity(v)) : r.Values), Is.All.Matches<double>(double.IsFinite));
            Numbers.AssertSameBits(tapped, gradients, $"{type}, tapped");
            Numbers.AssertSameBits(model.Train(recompute: true).Gradients, gradients, $"{type}, recomputed");
            using var separate = new SeparateMemory(model.TrainingTape());
            _fused.Fill(model.Store.AllGradients, 0);
            separate.Run();
            Numbers.AssertSameBits(model.Gradients(), gradients, $"{type}, memory of its own");
        }
    }

    [Test]
    public void EditorsTakeValuesOfSinglePrecision()
    {
        var owned = new List<IDisposable>();
        View direction = Host.New(_fused, DType.Float32, [1, 1, 16], Numbers.Uniform("direction", 16, -1, 1), owned);
        foreach (DType type in s_types)
        {
            using var model = new TinyModel(ModelVariants.Base, _fused, type, lossScale: LossScale);
            const string Point = "blocks.0.hook_resid_post";
            Collector before = new(Point), after = new(Point), patched = new(Point);
            _ = model.Logits(model.Tokens, taps: new TapSet([before]));
            _ = model.Logits(model.Tokens, taps: new TapSet([after], [new Steer(Point, direction)]));
            _ = model.Logits(model.Tokens, taps: new TapSet([patched], [new Patch(Point, direction)]));
            double[] added = Host.Rounded(Host.Read(_fused, direction), type);
            Assert.That(after.Read[0].Values, Is.EqualTo(Host.Rounded([.. before.Read[0].Values.Select((v, i) => (double)((float)v + (float)added[i % 16]))], type)));
            Assert.That(patched.Read[0].Values, Is.EqualTo(before.Read[0].Values.Select((_, i) => added[i % 16])));
        }

        owned.ForEach(o => o.Dispose());
    }

    // Half a unit in the last place, relative.
    private static double Rounding(DType type) => type == DType.BFloat16 ? 1.0 / 256 : 1.0 / 2048;

    private static double Angle(double[] a, double[] b)
    {
        double product = a.Zip(b, (x, y) => x * y).Sum(), lengths = Math.Sqrt(a.Sum(x => x * x) * b.Sum(x => x * x));
        return Math.Acos(Math.Clamp(product / lengths, -1, 1));
    }
}
