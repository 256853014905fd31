using NanoFold.Engine.Autograd;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Kernels;
using NanoFold.Tests.Mixers.References;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers;

/// <summary>Tokens of one document do not see those of another.</summary>
public class DocumentMaskTests : EngineTests
{
    // Two rows of 16: documents of 5, 1 and 10 tokens, and of 8 and 8.
    private static readonly int[] s_documents = [0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 4, 4, 7, 7, 7, 7, 7, 7, 7, 7];

    private static IEnumerable<TestCaseData> Mixers => ModelVariants.Mixers.Select(m => new TestCaseData(m).SetArgDisplayNames(m.Kind));

    // Where a kind depends on the position, its variants may not.
    private static IEnumerable<TestCaseData> ShiftInvariant =>
        from model in ModelVariants.Mixers.Select(m => ModelVariants.Base with { Mixer = m })
            .Concat(ModelVariants.Mixers.SelectMany(m => MixerReference.Of(m).Variants(ModelVariants.Base)).Select(v => v.Model))
        let resolved = model.Resolve()
        where resolved.LayerConfigs().All(l => l.Mixer.Traits(resolved).IsShiftInvariant)
        select new TestCaseData(model).SetArgDisplayNames(string.Join(" ", model.LayerConfigs().Select(l => l.Mixer).Distinct()));

    [TestCaseSource(nameof(Mixers))]
    public void TokensOfAnotherDocumentChangeNothing(MixerConfig mixer)
    {
        using var model = new TinyModel(ModelVariants.Base with { Mixer = mixer }, Backend());
        double[] logits = model.Logits(model.Tokens, s_documents);
        int vocab = model.Model.Config.Vocab;
        for (int changed = 0; changed < s_documents.Length; changed += 3)
        {
            int[] tokens = [.. model.Tokens];
            tokens[changed] = (tokens[changed] + 4) % vocab;
            double[] others = model.Logits(tokens, s_documents);
            for (int i = 0; i < s_documents.Length; i++)
            {
                bool isApart = s_documents[i] != s_documents[changed] || i < changed;
                double[] now = others[(i * vocab)..((i + 1) * vocab)], before = logits[(i * vocab)..((i + 1) * vocab)];
                Assert.That(isApart ? now.SequenceEqual(before) : i != changed || !now.SequenceEqual(before), $"token {changed} changed, logits of {i}");
            }
        }
    }

    [TestCaseSource(nameof(ShiftInvariant))]
    public void ADocumentIsReadAsIfItStoodAlone(ModelConfig config)
    {
        using var model = new TinyModel(config, Backend(), DType.Float64, batch: 1);
        int vocab = model.Model.Config.Vocab;
        double[] together = model.Logits(model.Tokens, s_documents[..16]);
        double[] alone = model.Logits(model.Tokens[6..]);
        Numbers.AssertClose(together[(6 * vocab)..], alone, 1e-12, "logits");
    }

    [TestCaseSource(nameof(Mixers))]
    public void GradientsAgreeWithFiniteDifferences(MixerConfig mixer)
    {
        foreach (bool composedOnly in new[] { false, true })
        {
            using var model = new TinyModel(ModelVariants.Base with { Mixer = mixer, KvHeads = 2 }, Backend(composedOnly: composedOnly), DType.Float64);
            using var check = new GradCheck(model.Store, tape => model.RecordLoss(tape, s_documents));
            GradientDifference worst = check.Worst(elements: 0);
            Assert.That(worst.Relative, Is.LessThan(1e-6), worst.ToString());
        }
    }

    [TestCaseSource(nameof(Mixers))]
    public void RecomputationGivesTheSameBits(MixerConfig mixer)
    {
        using var model = new TinyModel(ModelVariants.Base with { Mixer = mixer }, Backend());
        (double loss, double[] gradients) = model.Train(documents: s_documents);
        (double again, double[] recomputed) = model.Train(recompute: true, documents: s_documents);
        Assert.That(again, Is.EqualTo(loss));
        Numbers.AssertSameBits(recomputed, gradients, mixer.Kind);
    }

    [Test]
    public void OneDocumentIsNoMask()
    {
        using var model = new TinyModel(ModelVariants.Base, Backend());
        Numbers.AssertSameBits(model.Logits(model.Tokens, new int[32]), model.Logits(model.Tokens), "logits");
    }
}
