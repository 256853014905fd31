using NanoFold.Engine.Generation;
using NanoFold.Engine.Model;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Generation;

/// <summary>Weights that somebody else trained say what they say elsewhere.</summary>
public class Llama2CTests
{
    private const string Story = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. "
        + "She wanted to play with it, but it was too high.";

    [TestCase("")]
    [TestCase("Once upon a time, there was a little girl")]
    public void TrainedWeightsTellTheirStory(string prompt)
    {
        string weights = SharedData.Path("stories260K.bin"), words = SharedData.Path("stories260K-tok512.bin");
        using var backend = new CpuBackend(2);
        using Transformer model = Llama2C.Read(weights, backend);
        using var generator = new Generator(model, Llama2CTokenizer.Read(words, model.Config.Vocab));
        GeneratedSample sample = generator.Generate([prompt], new GenerationConfig { Temperature = 0, MaxTokens = 90 }).Samples[0];
        Assert.That((prompt + sample.Text).TrimStart(), Does.StartWith(Story));
    }

    [Test]
    public void DamagedFilesAreRefused()
    {
        byte[] weights = File.ReadAllBytes(SharedData.Path("stories260K.bin")), words = File.ReadAllBytes(SharedData.Path("stories260K-tok512.bin"));
        using var folder = new TemporaryFolder();
        using var backend = new CpuBackend(1);
        foreach (int length in new[] { 0, 27, 28, 5000, weights.Length - 1 })
        {
            File.WriteAllBytes(folder["w"], weights[..length]);
            Assert.That(() => Llama2C.Read(folder["w"], backend), Throws.TypeOf<InvalidDataException>(), $"{length} bytes");
        }

        foreach (int length in new[] { 0, 3, 10, 900, words.Length - 1 })
        {
            File.WriteAllBytes(folder["t"], words[..length]);
            Assert.That(() => Llama2CTokenizer.Read(folder["t"], 512), Throws.TypeOf<InvalidDataException>(), $"{length} bytes");
        }

        weights[7] = 0xFF;
        File.WriteAllBytes(folder["w"], weights);
        Assert.That(() => Llama2C.Read(folder["w"], backend), Throws.TypeOf<InvalidDataException>(), "negative width");
    }
}
