using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Training;

/// <summary>The micro-batches of a step that one process runs: of W processes, number r runs r, W + r, 2 W + r and so on. All of a step are drawn before the first runs.</summary>
internal sealed class MicroBatches
{
    private readonly LearningTask _task;
    private readonly ICollective _collective;
    private readonly BatchRows[] _rows;
    private long _drawn = -1;

    /// <param name="task">Fills them.</param>
    /// <param name="fields">What each consists of.</param>
    /// <param name="config">Rows of each, and how many a step has.</param>
    /// <param name="collective">The processes that share them.</param>
    /// <exception cref="UserException">They cannot be shared evenly.</exception>
    public MicroBatches(LearningTask task, IReadOnlyList<BatchField> fields, TrainConfig config, ICollective collective)
    {
        _task = task;
        _collective = collective;
        _rows = [.. Enumerable.Range(0, Share(config, collective)).Select(_ => new BatchRows(fields, Math.Max(1, config.Batch)))];
    }

    /// <summary>How many of a step this process runs.</summary>
    public int Count => _rows.Length;

    /// <summary>Places with a target in those that were drawn last.</summary>
    public int Targets
    {
        get
        {
            int targets = 0;
            foreach (BatchRows rows in _rows)
            {
                targets += rows.Targets;
            }

            return targets;
        }
    }

    /// <summary>What was drawn.</summary>
    public BatchRows this[int index] => _rows[index];

    /// <summary>How many micro-batches of a step each process runs.</summary>
    /// <exception cref="UserException">They cannot be shared evenly.</exception>
    public static int Share(TrainConfig config, ICollective collective) => config.Accumulate % collective.World == 0
        ? config.Accumulate / collective.World
        : throw UserException.Usage(
            $"train.accumulate: {collective.World} processes cannot share {config.Accumulate} micro-batches of a step evenly; it takes a multiple of {collective.World}");

    /// <summary>The number of one of them in its step: in a round every process runs one, in the order of their numbers.</summary>
    public int NumberOf(int index) => (index * _collective.World) + _collective.Rank;

    /// <summary>Draws those of a step, where they are not drawn yet.</summary>
    public void Draw(long step)
    {
        if (_drawn == step)
        {
            return;
        }

        _drawn = -1;
        for (int i = 0; i < _rows.Length; i++)
        {
            _rows[i].Fill(_task, step, NumberOf(i));
        }

        _drawn = step;
    }

    /// <summary>The same while a step runs. A text that cannot be read is a fault of the step that needs it, not of the one that is done.</summary>
    public void DrawAhead(long step)
    {
        try
        {
            Draw(step);
        }
        catch (UserException)
        {
            _drawn = -1;
        }
    }

    /// <summary>Draws any micro-batch of a step, whichever process runs it, in the place of what was drawn.</summary>
    public BatchRows DrawOne(long step, int microBatch)
    {
        _drawn = -1;
        _rows[0].Fill(_task, step, microBatch);
        return _rows[0];
    }
}
