using System.Globalization;
using NanoFold.Engine.Geometry.Sampling;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>Looks at what mixes tokens in a block; where several mixers stand beside each other (<c>parallel</c>), at each of them.</summary>
public abstract record MixerMeasure : Measure
{
    // Mixers beside each other are looked at as far as that.
    private const int MostBesideEachOther = 4;

    private static readonly string[] s_beginnings =
        ["", .. Enumerable.Range(0, MostBesideEachOther).Select(i => string.Create(CultureInfo.InvariantCulture, $"mixers.{i}."))];

    /// <inheritdoc/>
    public sealed override IReadOnlyList<Want> Wants =>
        [.. Points.SelectMany(want => s_beginnings.Select(beginning => want with { Point = beginning + want.Point })), .. PointsOfBlock];

    /// <summary>What it wants of a mixer, named from it: <c>attn.hook_z</c>.</summary>
    protected abstract IReadOnlyList<Want> Points { get; }

    /// <summary>What it wants of the block besides.</summary>
    protected virtual IReadOnlyList<Want> PointsOfBlock => [];

    /// <summary>Measures a mixer; writes nothing where it has nothing of the kind. Figures of one head go to <see cref="MixerSample.Head"/>.</summary>
    public abstract void Take(MixerSample mixer, FigureWriter figures);

    internal sealed override IEnumerable<PlacedMeasure> AfterBlock(BlockSample block)
    {
        foreach (string beginning in s_beginnings)
        {
            if (Points.Any(want => block.Has(want with { Point = beginning + want.Point })))
            {
                var mixer = new MixerSample(block, beginning);
                yield return new(mixer.Place, figures => Take(mixer, figures));
            }
        }
    }
}

/// <summary>What was read of one mixer of a block.</summary>
/// <param name="block">The block.</param>
/// <param name="beginning">Of the names of its points: empty, or <c>mixers.0.</c>.</param>
public sealed class MixerSample(BlockSample block, string beginning)
{
    /// <summary>The block that it is of.</summary>
    public BlockSample Block => block;

    /// <summary>Where its figures are.</summary>
    public FigurePlace Place => beginning.Length == 0 ? new FigurePlace("block", block.Name, block.Layer) : new FigurePlace("mixer", $"{block.Name}.{beginning[..^1]}", block.Layer);

    /// <summary>The sampled tokens' values at a point, or null where it has no such point.</summary>
    public PointCloud? Cloud(string point, SampleKind kind = SampleKind.Points) => block.Cloud(beginning + point, kind);

    /// <summary>Rows of its attention pattern, or null where it has none.</summary>
    public PatternSample? Pattern(SampleKind kind) => block.PatternAt(new Want(beginning + "attn.hook_pattern", kind));

    /// <summary>A value that is not of tokens, with its shape, or null where it has no such point.</summary>
    public (float[] Values, int[] Shape)? Whole(string point) => block.WholeWithShape(beginning + point);

    /// <summary>A parameter of it, such as <c>o_proj.weight</c>; null where it has none, or where an adapter changes how it acts.</summary>
    public WeightSample? Weights(string name) => block.Weights($"self_attn.{beginning}{name}");

    /// <summary>Where the figures of one of its heads go.</summary>
    public FigureWriter Head(FigureWriter figures, int head, string point = "attn.hook_pattern") =>
        figures.At(new FigurePlace("head", $"{block.Name}.{beginning}{point}", block.Layer, head));
}
