using NanoFold.Engine.Geometry.Sampling;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>Looks at a whole model, with passes of its own: after training only.</summary>
public abstract record NetworkMeasure : Measure
{
    /// <summary>The place of figures for which the measure names none.</summary>
    internal static FigurePlace Place { get; } = new("network", "model");

    /// <inheritdoc/>
    public sealed override int Tier => Offline;

    /// <inheritdoc/>
    /// <remarks>Its time is its own.</remarks>
    public override double Work(in ProbeShape shape, int width) => 0;

    /// <summary>Measures a model; figures of a layer, head or parameter go to <see cref="FigureWriter.At"/>.</summary>
    public abstract void Take(NetworkSample network, FigureWriter figures);

    internal sealed override IEnumerable<PlacedMeasure> AfterPass(PassSample pass)
    {
        if (pass.Network is { } network)
        {
            yield return new(Place, figures => Take(network, figures));
        }
    }
}

/// <summary>Compares two checkpoints of a run, or of two runs: after training only.</summary>
public abstract record CheckpointMeasure : Measure
{
    /// <summary>Compare each checkpoint with all others, in place of the last one.</summary>
    public bool AllPairs { get; init; }

    /// <inheritdoc/>
    public sealed override int Tier => Offline;

    internal sealed override bool NeedsStreams => true;

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 0;

    /// <summary>Compares two; figures of a layer or parameter go to <see cref="FigureWriter.At"/>.</summary>
    /// <param name="first">The earlier one, or that of the other run.</param>
    /// <param name="second">The later one.</param>
    /// <param name="figures">Where the figures go.</param>
    public abstract void Take(CheckpointSample first, CheckpointSample second, FigureWriter figures);

    /// <summary>The place of figures for which the measure names none.</summary>
    internal static FigurePlace PlaceOf(CheckpointSample first) => new("checkpoints", "model", Other: first.Name);
}
