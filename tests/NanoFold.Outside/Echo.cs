using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;

namespace Outside;

/// <summary>Half of a row is of random symbols, the other half says them again: its places are asked for.</summary>
public sealed record EchoConfig : GeneratedTaskConfig
{
    /// <summary>Symbols to draw from.</summary>
    [Bounds(2, 1 << 16)]
    public int Symbols { get; init; } = 8;

    /// <inheritdoc/>
    public override ModelConfig Fit(ModelConfig model) => model.Vocab > 0 ? model : model with { Vocab = Symbols };

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new Echo(this, context);
}

internal sealed class Echo(EchoConfig config, TaskContext context) : LabelledTask(config, context)
{
    public override int Vocab => config.Symbols;

    public override double? LossOfGuessing => Math.Log(config.Symbols);

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets);
        int half = (tokens.Length + 1) / 2;
        for (int i = 0; i < tokens.Length; i++)
        {
            tokens[i] = i < half ? draws.Below(config.Symbols) : tokens[i - half];
        }

        // The place before a symbol is asked for it.
        for (int i = half; i < tokens.Length; i++)
        {
            targets[i - 1] = tokens[i];
        }

        return tokens.Length - half;
    }
}
