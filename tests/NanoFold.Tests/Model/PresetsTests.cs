using NanoFold.Engine.Configuration;
using NanoFold.Engine.Data;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Model;

public class PresetsTests
{
    [TestCase("nano", 4, 4, 128, 344, 64, 12)]
    [TestCase("small", 6, 6, 384, 1024, 256, 8)]
    [TestCase("gpt2", 12, 12, 768, 2048, 1024, 4)]
    public void APresetIsAConsistentModel(string name, int layers, int heads, int width, int hidden, int context, int batch)
    {
        RunConfig config = new ConfigTree(name).Build();

        Assert.That(
            (config.Model.Layers, config.Model.Heads, config.Model.Width, config.Model.Hidden, config.Model.Context, config.Train.Batch),
            Is.EqualTo((layers, heads, width, hidden, context, batch)));
        Assert.That(config.Preset, Is.EqualTo(name));
        Assert.That(config.Model.FeedForward.Kind, Is.EqualTo("swiglu"));
        Assert.That(config.Tokenizer, Is.EqualTo(new BpeTokenizerConfig { Vocab = 2048 }));
    }

    [Test]
    public void AllNamesArePresetsAndOthersAreNot()
    {
        Assert.That(Presets.Names.Select(name => Presets.Of(name).Preset), Is.EqualTo(Presets.Names));
        Assert.That(() => Presets.Of("huge"), Throws.TypeOf<ConfigException>().With.Message.EqualTo("preset: unknown preset \"huge\"; known: nano, small, gpt2"));
    }
}
