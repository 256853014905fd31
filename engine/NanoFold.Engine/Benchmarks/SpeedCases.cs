using NanoFold.Engine.Data;
using NanoFold.Engine.Model;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Benchmarks;

/// <summary>The cases of every op at the shapes of the presets, a micro-batch of at most 2,048 tokens.</summary>
public static class SpeedCases
{
    private const int MostTokens = 2048;

    // What a preset's BPE has where no corpus says otherwise.
    private static readonly int s_vocab = new BpeTokenizerConfig().Vocab;

    /// <summary>The blocks of the presets, the smallest first.</summary>
    public static IEnumerable<BlockShape> Shapes => Presets.Names.Select(Shape);

    public static IEnumerable<OpCase> All => Shapes.SelectMany(OpCases.At);

    private static BlockShape Shape(string preset)
    {
        RunConfig config = Presets.Of(preset);
        ModelConfig model = config.Model.Resolve();
        int batch = Math.Clamp(MostTokens / model.Context, 1, config.Train.Batch);
        return new BlockShape(preset, batch, model.Context, model.Width, model.Heads, model.HeadDim, model.Hidden, s_vocab);
    }
}
