namespace NanoFold.Engine.Tasks;

/// <summary>What a row is for.</summary>
public enum TaskSplit
{
    /// <summary>Training.</summary>
    Training,

    /// <summary>Evaluation: rows that are never trained on, the same in every run.</summary>
    Validation,

    /// <summary>Measuring the model's stream: of what is held back, or, where nothing is, of what is trained on.</summary>
    Probe,
}

/// <summary>Which row is meant. What a task fills in for it depends on nothing else, so a run that is taken up again reads what one that never stopped would have read.</summary>
/// <param name="Split">What the row is for.</param>
/// <param name="Step">The optimizer step, from 0; 0 in all splits but the training's.</param>
/// <param name="MicroBatch">The part of the step's batch, from 0.</param>
/// <param name="Row">The row of that part, from 0.</param>
/// <param name="Rows">Rows of a part, B.</param>
public readonly record struct RowKey(TaskSplit Split, long Step, int MicroBatch, long Row, int Rows)
{
    /// <summary>
    /// The row's number through all parts of the step: 8 rows are the same as 2 micro-batches of 4. In the other splits the row's place among all of them, from 0.
    /// </summary>
    public long Number => ((long)MicroBatch * Rows) + Row;

    /// <summary>A row of what is held back, by its place.</summary>
    public static RowKey At(TaskSplit split, long number) => new(split, 0, 0, number, 1);
}
