using System.Buffers;
using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Tasks;

/// <summary>Symbols of a source that is known, each asked for the next.</summary>
public abstract record SourceTaskConfig : LabelledTaskConfig
{
    /// <inheritdoc/>
    protected override bool LabelsFollow => true;

    /// <summary>Of making the tables of the source.</summary>
    private protected LongWork WorkOf(TaskContext context) => new(context, $"{Kind}: how often what is in its table is met in a long sequence …");
}

/// <summary>
/// The next symbol of a source that is known. Scored beside the loss are <c>sourceLoss</c>, what the source itself needs for the same symbols, and <c>excess</c>, the
/// loss above that: 0 is as good as can be.
/// </summary>
/// <param name="config">How many rows there are to validate with.</param>
/// <param name="context">The length of rows, and the seed.</param>
/// <param name="source">Where the symbols come from.</param>
internal abstract class SourceTask(SourceTaskConfig config, TaskContext context, Source source) : LabelledTask(config, context)
{
    public override int Vocab => source.Symbols;

    public override double? LossOfGuessing => Math.Log(source.Symbols);

    public override TaskScore NewScore() => new SymbolScore(source);

    public override IReadOnlyList<Score> Best() => new SymbolScore(source).Best(HeldBackRows());

    protected sealed override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets);
        int[] rented = ArrayPool<int>.Shared.Rent(tokens.Length + 1);
        Span<int> all = rented.AsSpan(0, tokens.Length + 1);
        source.Draw(ref draws, all);
        all[..^1].CopyTo(tokens);
        all[1..].CopyTo(targets);
        ArrayPool<int>.Shared.Return(rented);
        return targets.Length;
    }
}
