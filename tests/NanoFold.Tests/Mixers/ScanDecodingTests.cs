using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers;

/// <summary>Recurrences over more tokens than their kernels take at a time.</summary>
public class ScanDecodingTests : EngineTests
{
    private static IEnumerable<TestCaseData> Mixers =>
        new MixerConfig[] { MambaConfig.Tiny, MambaConfig.Tiny with { Selective = false }, RnnConfig.Tiny, RgLruConfig.Tiny, Rwkv4Config.Tiny, MlstmConfig.Tiny, LightningAttentionConfig.Tiny }.Select(m => new TestCaseData(m).SetArgDisplayNames(m.ToString()));

    [TestCaseSource(nameof(Mixers))]
    public void ChunksOfALongStreamAreItsFullPass(MixerConfig mixer)
    {
        ModelConfig config = ModelVariants.Base with { Layers = 1, Context = 200, Mixer = mixer };
        using var model = new TinyModel(config, Backend());
        double[] whole = model.Logits(model.Tokens);
        using var decoding = new Decoding(model, chunk: 70);
        Numbers.AssertClose(decoding.Run((b, call) => (b + call) % 3 * 35), whole, 1e-5, "up to 70 at a time");
    }
}
