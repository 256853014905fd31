using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Taps;

/// <summary>What stands there says nothing of its own any more: 0, the mean, or what stands at another place. Nothing flows back through it.</summary>
public sealed record AblateConfig : EditConfig
{
    /// <summary>What stands in its place.</summary>
    public AblationKind Mode { get; init; }

    /// <summary>Of the draws of <c>resample</c>.</summary>
    [Bounds(0, int.MaxValue)]
    public int Seed { get; init; } = 1;

    /// <inheritdoc/>
    public override ITapEditor Build(TableStore tables) => new Ablate(Points, Mode, (ulong)Seed);
}

/// <summary>What an ablation leaves.</summary>
public enum AblationKind
{
    /// <summary>0.</summary>
    Zero,

    /// <summary>The mean over all places of the batch; of an attention pattern the mean of the same query's over the rows of the batch.</summary>
    Mean,

    /// <summary>
    /// What stands at the same position of another row of the batch, drawn for each position; where a batch has one row, at another position of it.
    /// </summary>
    Resample,
}

/// <summary>Takes away what points say; nothing flows back through them.</summary>
/// <param name="pattern">Names it ablates.</param>
/// <param name="mode">What stands in their place.</param>
/// <param name="seed">Of draws: the same places give to all points.</param>
public sealed class Ablate(string pattern, AblationKind mode = AblationKind.Zero, ulong seed = 1) : ITapEditor
{
    public string Pattern { get; } = pattern;

    public Tensor Edit(Tape tape, string name, Tensor value)
    {
        if (mode != AblationKind.Zero && tape.Input is { IsDecoding: true })
        {
            throw new UserException(mode == AblationKind.Mean
                ? $"tap {name}: the mean over a text is not known while decoding with a cache; patch with its values in its place"
                : $"tap {name}: there are no other places to draw from while decoding with a cache; patch with values in its place");
        }

        return mode switch
        {
            AblationKind.Mean => MeanOfPlaces.Record(tape, name, value),
            AblationKind.Resample => OtherPlaces.Record(tape, name, value, seed),
            _ => tape.Record(new ZeroOp(), [], value.Layout),
        };
    }
}
