using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Network;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// Largest singular values of every block's Jacobian, its local Lipschitz constant: of the map of all places of a window, and of that from its last place to its last place. By
/// bidiagonalization, with products from the left by the backward pass and from the right by central differences.
/// </summary>
public sealed record JacobianMeasure : NetworkMeasure
{
    /// <summary>Windows, evenly spaced over those of the probe.</summary>
    [Bounds(1, 1024)]
    public int Windows { get; init; } = 2;

    /// <summary>Places of a window, from its beginning.</summary>
    [Bounds(2, 1 << 20)]
    public int Tokens { get; init; } = 64;

    /// <summary>Rounds. As many as the model is wide give all singular values of the last place.</summary>
    [Bounds(2, 1 << 16)]
    public int Rounds { get; init; } = 10;

    /// <inheritdoc/>
    public override string Legend => "J σ₁ = largest singular value of a block's Jacobian over a window; token σ₁, σ₂, gain: of its last place, gain in a random direction";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns =>
        [new("windowLargest", "J σ₁", "0.00"), new("tokenLargest", "token σ₁", "0.00"), new("tokenSecond", "σ₂", "0.00"), new("tokenGain", "gain", "0.00")];

    /// <inheritdoc/>
    public override void Take(NetworkSample network, FigureWriter figures)
    {
        int layers = network.Model.Config.Layers;
        using var jacobians = new BlockJacobians(
            network, Windows, Tokens, [.. Enumerable.Range(0, layers).Select(layer => ($"blocks.{layer}.hook_resid_pre", $"blocks.{layer}.hook_resid_post"))]);
        (Bidiagonalization All, Bidiagonalization Last)[][] found = jacobians.Run(Rounds, network.Seed);
        string how = $"{Rounds} rounds, {(jacobians.IsDouble ? "float64" : "float32")}, {jacobians.Time} places";
        for (int layer = 0; layer < layers; layer++)
        {
            FigureWriter at = figures.At(new FigurePlace("network", $"blocks.{layer}.hook_resid_post", layer));
            Mean window = default, largest = default, second = default, smallest = default, gain = default;
            double open = 0;
            var spectra = new List<double>();
            int torn = found[layer].Count(one => one.All.IsTorn), kept = found[layer].Min(one => one.Last.IsTorn ? 0 : one.Last.Values().Length);
            foreach ((Bidiagonalization all, Bidiagonalization last) in found[layer])
            {
                double[] whole = all.IsTorn ? [] : all.Values(), values = last.IsTorn ? [] : last.Values();
                window.Add(whole.Length > 0 ? whole[0] : null);
                open = Math.Max(open, all.IsTorn ? 0 : all.Residual());
                largest.Add(values.Length > 0 ? values[0] : null);
                second.Add(values.Length > 1 ? values[1] : null);
                // Equal ones are found once.
                bool isWhole = values.Length == network.Model.Config.Width;
                smallest.Add(values.Length > 0 && (isWhole || last.IsDone) ? values[^1] : null);
                gain.Add(isWhole ? values.Sum(value => value * value) / network.Model.Config.Width : last.IsTorn ? null : last.FirstGain * last.FirstGain);
                spectra.AddRange(values.Take(kept));
            }

            GeometryStatus status = torn == found[layer].Length ? GeometryStatus.Degenerate : window.Status;
            string left = torn > 0 ? $", {torn} windows left out in which choices flip" : "";
            at.Add("windowLargest", window.Value, status, $"all places to all, {how}{left}", window.Count, window.Error);
            at.Add("windowResidual", open, status, "what the last round left open of windowLargest, at most", window.Count);
            at.Add("tokenLargest", largest.Value, largest.Status, $"last place to last place, {how}", largest.Count, largest.Error);
            at.Add("tokenSecond", second.Value, second.Status, $"last place to last place, {how}", second.Count, second.Error);
            at.Add("tokenSmallest", smallest.Value, smallest.Status, $"last place to last place, where rounds reach all of them, {how}", smallest.Count, smallest.Error);
            at.Add("tokenGain", Math.Sqrt(gain.Value ?? double.NaN), gain.Status, $"‖J‖_F/√C of the last place, {(kept == network.Model.Config.Width ? "all singular values" : "of a random direction a window")}", gain.Count);
            at.Array("tokenSingularValues", [found[layer].Length, kept], spectra.ToArray().AsSpan());
        }
    }
}
