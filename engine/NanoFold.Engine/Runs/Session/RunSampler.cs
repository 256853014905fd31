using NanoFold.Engine.Autograd;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs.Metrics;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs;

/// <summary>Continues <c>train.samplePrompt</c> with the model as it is; the same draws every time, so that samples compare.</summary>
/// <param name="model">As it is when a sample is drawn.</param>
/// <param name="tokenizer">Of its tokens.</param>
/// <param name="config">What is continued, and how.</param>
/// <param name="arena">Memory of its activations.</param>
/// <param name="folder">Where samples are logged, or null.</param>
internal sealed class RunSampler(Transformer model, Tokenizer tokenizer, RunConfig config, SharedArena arena, RunFolder? folder) : IDisposable
{
    private Generator? _generator;

    public string Sample(long step, CancellationToken cancel)
    {
        _generator ??= new Generator(model, tokenizer, arena);
        string prompt = config.Train.SamplePrompt;
        string text = _generator.Generate([prompt], config.Generation, (ulong)config.Train.Seed, cancellationToken: cancel).Samples[0].Text;
        if (folder is not null)
        {
            MetricsJson.AppendSample(folder.Samples, step, prompt, text);
        }

        return text;
    }

    public void Dispose() => _generator?.Dispose();
}
