using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Mixers whose heads carry a matrix S [D, DV] from token to token in place of a cache: S ← decay ⊙ S + k uᵀ, y = Sᵀ q / √D. Their work is linear in the context, and
/// decoding keeps as much at any position.
/// </summary>
public abstract record RecurrentHeadsConfig : HeadsConfig
{
    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => new() { HasHeads = true, SlidesOn = true };

    /// <inheritdoc/>
    /// <remarks>12 · H · D · DV: what a token writes to the states and reads of them.</remarks>
    public override long PairFlopsPerToken(ModelShape model)
    {
        HeadShape shape = ShapeFor(model);
        return 12L * shape.Heads * shape.HeadDim * shape.ValueDim;
    }
}
