using NanoFold.Engine.Configuration;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers;

/// <summary>A kind without a setting of its own works at any context, the shortest included.</summary>
public class DefaultsTests : EngineTests
{
    private static IEnumerable<TestCaseData> Kinds => Variant.Of<MixerConfig>().Select(v => new TestCaseData((MixerConfig)Activator.CreateInstance(v.Type)!).SetArgDisplayNames(v.Kind));

    [TestCaseSource(nameof(Kinds))]
    public void AnyContextWillDo(MixerConfig mixer)
    {
        foreach (int context in new[] { 1, 2, 3, 5, 17, 70 })
        {
            foreach (PositionKind position in new[] { PositionKind.Rope, PositionKind.None })
            {
                ModelConfig config = ModelVariants.Base with { Context = context, Mixer = mixer, Layers = 1, Position = position };
                Assert.That(config.Validate("model"), Is.Empty, $"context {context}");
                using var model = new TinyModel(config, Backend(), DType.Float32, batch: 1);
                (double loss, double[] gradients) = model.Train();
                Assert.That(loss, Is.InRange(0.5, 8), $"context {context}");
                Assert.That(gradients.All(double.IsFinite), $"context {context}");
                using var decoding = new Decoding(model, chunk: Math.Min(4, context));
                Numbers.AssertClose(
                    decoding.Run((_, call) => 1 + (call % Math.Min(4, context))), model.Logits(model.Tokens), 1e-5 * References.MixerReference.SensitivityOf(config), $"context {context}");
            }
        }
    }

    [TestCaseSource(nameof(Kinds))]
    public void LargePresetsAreConsistent(MixerConfig mixer)
    {
        foreach (int context in new[] { 64, 100, 1000, 1024, 8192, 1 << 20 })
        {
            var config = new ModelConfig { Layers = 4, Width = 384, Heads = 6, Context = context, Vocab = 64, Mixer = mixer };
            Assert.That(config.Validate("model"), Is.Empty, $"context {context}");
            Assert.That(config.Resolve().LayerConfigs()[0].Mixer.PairFlopsPerToken(config.Resolve()), Is.Not.Negative);
        }
    }
}
