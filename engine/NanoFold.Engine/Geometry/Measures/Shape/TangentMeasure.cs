using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// Whether mixer and feed-forward move tokens along the cloud or out of it: the share of an update that is normal to the span of the token's q nearest
/// neighbors, ‖(I − UUᵀ)Δ‖²/‖Δ‖², beside that of random subspaces of the same dimension, 1 − q/D on average.
/// </summary>
public sealed record TangentMeasure : BlockMeasure
{
    private const int RandomPlanes = 16;

    /// <summary>q, the neighbors whose span is taken, in the stream that the update is added to.</summary>
    [Bounds(1, 256)]
    public int Span { get; init; } = 16;

    /// <summary>Tokens whose updates are looked at; neighbors are among all of <c>geometry.neighborTokens</c>.</summary>
    [Bounds(1, 1 << 16)]
    public int Tokens { get; init; } = 128;

    /// <inheritdoc/>
    public override string Legend => "normal = share of an update outside of the span of the token's nearest neighbors; chance = outside of a random one";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns =>
        [new("mixerNormalShare", "mixer normal", "0.00"), new("feedForwardNormalShare", "ff normal", "0.00"), new("feedForwardNormalShareByChance", "chance", "0.00")];

    /// <inheritdoc/>
    public override int Tier => 2;

    /// <inheritdoc/>
    public override IReadOnlyList<Want> Wants => [new("hook_resid_pre"), new("hook_attn_out"), new("hook_resid_mid"), new("hook_mlp_out")];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 2.0 * Math.Min(Tokens, shape.Neighbors) * width * (shape.Neighbors + (4.0 * Span * Span));

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => sizeof(double) * (double)width * (RandomPlanes + 3) * (Span + 1);

    /// <inheritdoc/>
    public override void Take(BlockSample block, FigureWriter figures)
    {
        Write(block.Cloud("hook_resid_pre"), block.Cloud("hook_attn_out"), "mixer", figures);
        Write(block.Cloud("hook_resid_mid") ?? block.Cloud("hook_resid_pre"), block.Cloud("hook_mlp_out"), "feedForward", figures);
    }

    private void Write(PointCloud? x, PointCloud? delta, string name, FigureWriter figures)
    {
        if (x is null || delta is null)
        {
            return;
        }

        string estimator = $"span of {Span} neighbors, mean over tokens, position 0 out";
        if (!RowGuard.AllFinite(x.NeighborValues) || !RowGuard.AllFinite(delta.NeighborValues))
        {
            figures.Add(name + "NormalShare", null, GeometryStatus.NotFinite, estimator, 0);
            return;
        }

        var random = new GaussianSource(1);
        TangentPlane[] planes = [.. Enumerable.Range(0, RandomPlanes).Select(_ => TangentPlane.Random(x.Width, Span, random))];
        Mean shares = default, chance = default;
        for (int row = 0; row < Math.Min(Tokens, x.NeighborCount); row++)
        {
            ReadOnlySpan<float> token = x.NeighborValues.Slice(row * x.Width, x.Width), step = delta.NeighborValues.Slice(row * x.Width, x.Width);
            int[] near = NearestNeighbors.Of(token, x.NeighborValues, x.Width, Span, others: true);
            if (near.Length == Span && TangentPlane.Of(x.NeighborValues, x.Width, [row, .. near], Span).NormalShare(step) is { } share)
            {
                shares.Add(share);
                chance.Add(planes[row % RandomPlanes].NormalShare(step));
            }
        }

        figures.Add(name + "NormalShare", shares.Value, shares.Status, estimator, shares.Count, shares.Error);
        figures.Add(
            name + "NormalShareByChance", chance.Value, chance.Status, $"random subspaces of {Span} dimensions, expected 1 − q/D, mean over tokens", chance.Count, chance.Error);
    }
}
