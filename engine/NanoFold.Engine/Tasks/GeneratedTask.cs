using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Tasks;

/// <summary>A task whose rows are made up, each by random numbers of its own.</summary>
public abstract record GeneratedTaskConfig : TaskConfig
{
    /// <summary>Rows to validate with, the same in every run; 0 for no validation.</summary>
    [Bounds(0, int.MaxValue)]
    public int ValidationRows { get; init; } = 256;

    /// <summary>Decides the rows to validate with; apart from train.seed, so that runs of different seeds validate on the same ones.</summary>
    [Bounds(0, long.MaxValue)]
    public long SplitSeed { get; init; } = 1;

    /// <summary>What is wrong with a model that has a vocabulary, where the task is of features and values.</summary>
    private protected ConfigProblem HasNoTokens(int vocab) => new("model.vocab", $"\"{Kind}\" has no tokens, so no {vocab} symbols; leave it out");
}

/// <summary>Fills rows from random numbers: those to train on by the run's seed, those to validate with and to measure by <see cref="GeneratedTaskConfig.SplitSeed"/>.</summary>
/// <param name="config">How many rows there are to validate with.</param>
/// <param name="context">The length of rows, and the seed.</param>
public abstract class GeneratedTask(GeneratedTaskConfig config, TaskContext context) : LearningTask
{
    /// <summary>Places of a row: the model's context.</summary>
    protected int Time { get; } = context.Model.Context;

    /// <summary>Rows to validate with.</summary>
    protected virtual long ValidationRows => config.ValidationRows;

    /// <inheritdoc/>
    public override string Name => config.Kind;

    /// <inheritdoc/>
    public sealed override long Places(TaskSplit split) => Time * split switch
    {
        TaskSplit.Training => long.MaxValue / Time,
        TaskSplit.Validation => ValidationRows,
        _ => Math.Max(config.ValidationRows, 1L << 16),
    };

    /// <inheritdoc/>
    public sealed override int Fill(in RowKey key, in BatchRow row)
    {
        var draws = new RowDraws(key.Split == TaskSplit.Training ? context.Seed : (ulong)config.SplitSeed, key);
        return Fill(key, ref draws, row);
    }

    /// <summary>What is held back, a row at a time, each time in the same object.</summary>
    /// <exception cref="OperationCanceledException">The task's context says that this is to end.</exception>
    protected IEnumerable<BatchRows> HeldBackRows()
    {
        var row = new BatchRows(Fields(Time), 1);
        var work = new LongWork(context, FormattableString.Invariant($"{Name}: scores of others than models, on {ValidationRows:N0} rows …"));
        for (long number = 0; number < ValidationRows; number++)
        {
            work.Look();
            row.Fill(this, TaskSplit.Validation, number, ValidationRows, ValidationRows);
            yield return row;
        }
    }

    /// <summary>Fills one row by random numbers of its own; allocates nothing.</summary>
    /// <param name="key">Which row.</param>
    /// <param name="draws">Its random numbers.</param>
    /// <param name="row">To be filled.</param>
    /// <returns>How many places have a target.</returns>
    protected abstract int Fill(in RowKey key, ref RowDraws draws, in BatchRow row);
}
