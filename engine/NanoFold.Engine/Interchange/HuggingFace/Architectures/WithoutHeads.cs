using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Models without attention, whose settings of heads and positions have no effect.</summary>
internal static class WithoutHeads
{
    // Widest head that a model may name.
    private const int WidestHead = 4096;

    /// <summary>The model with those settings at what they are by default, so that they are no difference; learned positions stay, which have an effect.</summary>
    public static ModelConfig Of(ModelConfig model)
    {
        var none = new ModelConfig();
        return model with
        {
            Heads = 1,
            KvHeads = 1,
            HeadDim = Math.Min(model.Width, WidestHead),
            Position = model.Position == PositionKind.Learned ? PositionKind.Learned : PositionKind.None,
            RopeBase = none.RopeBase,
            RopeScaling = none.RopeScaling,
            RopeInterleaved = none.RopeInterleaved,
            QkNorm = none.QkNorm,
            QkNormOver = none.QkNormOver,
            QkNormKind = none.QkNormKind,
            QkNormBias = none.QkNormBias,
            ScoreScale = none.ScoreScale,
            ScoreCap = none.ScoreCap,
        };
    }
}
