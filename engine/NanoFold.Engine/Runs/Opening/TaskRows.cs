using NanoFold.Engine.Measurement;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Runs;

/// <summary>Rows of a task to look at, with all of its fields.</summary>
public static class TaskRows
{
    /// <summary>The first rows of a split: to train on those of the first step, to validate with those of every evaluation of all rows.</summary>
    /// <param name="config">Of the run: the length of rows.</param>
    /// <param name="task">Opened from it.</param>
    /// <param name="split">Which.</param>
    /// <param name="count">How many; fewer where there are fewer.</param>
    /// <exception cref="UserException">They do not fit into memory, or there are none.</exception>
    public static BatchRows First(RunConfig config, LearningTask task, TaskSplit split, int count)
    {
        int time = config.Model.Context;
        if (split == TaskSplit.Training)
        {
            task.RequireRows(time);
        }

        long all = task.Rows(split, time);
        int rows = (int)Math.Min(count, all);
        if (rows == 0)
        {
            throw new UserException($"{task.Name}: holds nothing back to validate with");
        }

        IReadOnlyList<BatchField> fields = MemoryCheck.Counted("model.context", "a smaller --context", () => task.Fields(time));
        DeviceMemory.RequireOfHost(BatchRows.Bytes(fields, rows), "rows to look at", "a smaller --context or fewer rows");
        var batch = new BatchRows(fields, rows);
        if (split == TaskSplit.Training)
        {
            batch.Fill(task, step: 0, microBatch: 0);
        }
        else
        {
            batch.Fill(task, split, first: 0, taken: rows, all: rows);
        }

        return batch;
    }
}
