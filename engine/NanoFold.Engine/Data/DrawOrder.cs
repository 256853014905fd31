namespace NanoFold.Engine.Data;

/// <summary>How the rows that a step draws are numbered: a row's number decides what is drawn for it.</summary>
public enum DrawOrder
{
    /// <summary>Through all micro-batches of a step: 8 rows are the same text as 2 micro-batches of 4.</summary>
    Step,

    /// <summary>In each micro-batch anew, as runs did that began before version 3 of configurations.</summary>
    MicroBatch,
}
