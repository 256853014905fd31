using NanoFold.Engine.Generation;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Tests.Interchange;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Modules;

/// <summary>Scaled rotary positions; what models make of them the suite of published models says.</summary>
public class RopeScalingTests : EngineTests
{
    private static IEnumerable<string> Scaled =>
    [
        "llama", "llama-rope-linear", "llama-rope-dynamic", "llama-rope-yarn", "llama-rope-yarn-explicit", "llama-rope-yarn-mscale", "llama-rope-llama3", "llama-rope-longrope", "phi3-longrope",
    ];

    [TestCaseSource(nameof(Scaled))]
    public void FrequenciesAreThoseOfTransformers(string name)
    {
        using var model = new PublishedModel(SharedData.Path($"peers/models/{name}"), Backend());
        ModelConfig config = model.Model.Config;
        double[] expected = SharedData.Reals(model.Expected, "rope.inv_freq");
        double[] made = config.RopeScaling.Frequencies(new RopeAngles(config.RopeBase, 2 * expected.Length, config.Context), model.Shape[1]);
        Assert.That(made.Zip(expected, (a, b) => Math.Abs((a / b) - 1)).Max(), Is.LessThan(1e-6));
        Assert.That(config.RopeScaling.FactorOn, Is.EqualTo(SharedData.Reals(model.Expected, "rope.attention_factor")[0]).Within(1e-6));
    }

    /// <summary>A prompt longer than the texts of training, read in several chunks, is one text: all its tokens are turned alike.</summary>
    [TestCase("llama-rope-dynamic")]
    [TestCase("llama-rope-longrope")]
    public void APromptIsOneText(string name)
    {
        const int Length = 31;
        using var model = new PublishedModel(SharedData.Path($"peers/models/{name}"), Backend());
        Transformer Of(int context) => new(model.Foreign.Config with { Context = context }, Backend(), new WeightSource(model.Foreign.Weights, name), trains: null);
        // What fills the context is read at once, less than half of a chunk of 64 in pieces of 8.
        using Transformer full = Of(Length), longer = Of(80);
        (double[] atOnce, int runs) = Read(full, model.Tokens[..Length]);
        Assert.That(runs, Is.EqualTo(1));
        (double[] inPieces, runs) = Read(longer, model.Tokens[..Length]);
        Assert.That(runs, Is.EqualTo(4));
        Numbers.AssertClose(inPieces, atOnce, 1e-5, "the last place");
    }

    private static (double[] Logits, int Runs) Read(Transformer model, int[] prompt)
    {
        using var decoder = new Decoder(model, 1);
        decoder.Begin(0, prompt);
        int runs = 0;
        for (; !decoder.HasLogits(0); runs++)
        {
            decoder.Run();
        }

        var logits = new float[model.Config.Vocab];
        decoder.ReadLogits(0, logits);
        return (Array.ConvertAll(logits, l => (double)l), runs);
    }
}
