using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Network;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// How much a small step of a token's stream before a block moves the last layer's stream, over all places: √(E‖J v‖²) over unit v in the tangent plane of the tokens around it (along
/// the data) and normal to it (across), beside a random plane. J is the Jacobian of all that follows. With Gaussian u over the outputs E‖Uᵀ Jᵀ u‖² is the sum of
/// ‖J v‖² over a basis U of the plane, so that a backward pass is a draw for all layers and tokens (Hutchinson 1990).
/// </summary>
public sealed record GainMeasure : NetworkMeasure
{
    /// <summary>Windows, evenly spaced over those of the probe.</summary>
    [Bounds(1, 1024)]
    public int Windows { get; init; } = 4;

    /// <summary>Places of a window, from its beginning.</summary>
    [Bounds(2, 1 << 20)]
    public int Tokens { get; init; } = 256;

    /// <summary>Dimensions of the tangent plane, along twice as many nearest neighbors.</summary>
    [Bounds(1, 256)]
    public int Rank { get; init; } = 8;

    /// <summary>Draws of u.</summary>
    [Bounds(1, 4096)]
    public int Draws { get; init; } = 4;

    /// <inheritdoc/>
    public override string Legend => "along, across = how much a step before the block moves the last stream, within the tangent plane of the data and normal to it; ratio of both, and of a random plane";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns =>
        [new("gainAlong", "along", "0.00"), new("gainAcross", "across", "0.00"), new("gainRatio", "ratio", "0.00"), new("randomRatio", "random", "0.00")];

    /// <inheritdoc/>
    public override void Take(NetworkSample network, FigureWriter figures)
    {
        int layers = network.Model.Config.Layers, width = network.Model.Config.Width;
        BatchRows batch = WindowBatch.Of(network, Windows, Tokens);
        int time = batch.Fields[0].Row[0];
        using var pass = new SteeredPass(
            network.Model, network.Task, batch, SteerKind.Add, [.. Enumerable.Range(0, layers).Select(layer => $"blocks.{layer}.hook_resid_pre")], [$"blocks.{layers - 1}.hook_resid_post"]);
        var values = new double[pass.Elements];
        pass.RunForward();
        TangentGain[] gains = new TangentGain[layers];
        for (int layer = 0; layer < layers; layer++)
        {
            pass.ReadValue(layer, values);
            gains[layer] = new TangentGain(values, time, width, Rank, GaussianSource.Mix(network.Seed, (ulong)layer));
        }

        var random = new GaussianSource(network.Seed);
        for (int draw = 0; draw < Draws; draw++)
        {
            foreach (ref double value in values.AsSpan())
            {
                value = random.NextNormal();
            }

            pass.Weigh(0, values);
            pass.Run();
            for (int layer = 0; layer < layers; layer++)
            {
                pass.ReadGradient(layer, values);
                gains[layer].Add(values);
            }
        }

        for (int layer = 0; layer < layers; layer++)
        {
            gains[layer].Write(figures.At(new FigurePlace("network", $"blocks.{layer}.hook_resid_pre", layer)), $"{Draws} draws");
        }
    }
}
