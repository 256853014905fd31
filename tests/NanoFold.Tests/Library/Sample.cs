using NanoFold.Engine.Autograd;
using NanoFold.Engine.Data;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Library;

public static class Sample
{
    /// <summary>Trains a small model on a text, watches what its last layer writes, and lets it continue a prompt.</summary>
    public static string Run(string textFile, string prompt, TextWriter log)
    {
        RunConfig config = Presets.Of("nano") with
        {
            Tokenizer = new ByteTokenizerConfig(),
            Data = new DataConfig { Path = textFile },
            Model = new ModelConfig { Layers = 2, Width = 32, Heads = 2, Context = 32 },
            Train = new TrainConfig { Steps = 100, Batch = 8 },
        };

        using var backend = new CpuBackend(Environment.ProcessorCount);
        using TrainSession session = TrainSession.Open(config, backend);
        var stream = new MeanNorm("blocks.1.hook_resid_post");
        session.Trainer.Taps = new TapSet([stream]);

        for (int step = 0; step < 100; step++)
        {
            StepResult result = session.Trainer.Step(step);
            if (step % 20 == 0)
            {
                log.WriteLine($"step {step}: loss {result.Loss:0.00}, residual norm {stream.Value:0.0}");
            }
        }

        using var generator = new Generator(session.Model, session.Tokenizer);
        return generator.Generate([prompt], new GenerationConfig { MaxTokens = 60 }).Samples[0].Text;
    }

    /// <summary>Reads a point [B, T, C] of the model at every step: the mean length of its vectors.</summary>
    private sealed class MeanNorm(string point) : ITapReader
    {
        public string Pattern => point;

        public double Value { get; private set; }

        public void Read(TapValue value) =>
            Value = value.ToArray().Chunk(value.Layout[-1]).Average(x => Math.Sqrt(x.Sum(v => v * v)));
    }
}
