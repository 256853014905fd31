using NanoFold.Engine.Data;
using NanoFold.Engine.Tasks;

namespace NanoFold.Tests.Tasks;

/// <summary>Batches of a shard as arrays.</summary>
internal sealed class TextBatches
{
    private readonly TextTask _task;
    private readonly BatchRows _rows;
    private readonly bool _hasDocuments;

    /// <summary>To train on.</summary>
    public TextBatches(TokenShard shard, string name, int batch, int context, ulong seed, DrawOrder order = DrawOrder.Step, bool hasDocuments = false)
        : this(new TextTask(shard, shard, name, new int[shard.Vocab], new DataConfig { Draws = order, MaskDocuments = hasDocuments }, seed), batch, context, hasDocuments)
        => _task.RequireRows(context);

    /// <summary>To evaluate on, some windows or all.</summary>
    public TextBatches(TokenShard shard, string name, int batch, int context, int windows = 0)
        : this(new TextTask(shard, name, new int[shard.Vocab], maskDocuments: true), batch, context, hasDocuments: true)
    {
        All = _task.Rows(TaskSplit.Validation, context);
        Windows = windows == 0 ? All : Math.Min(windows, All);
    }

    private TextBatches(TextTask task, int batch, int context, bool hasDocuments)
    {
        (_task, _hasDocuments) = (task, hasDocuments);
        _rows = new BatchRows(task.Inputs(context), batch);
    }

    public long All { get; }

    public long Windows { get; }

    public long Batches => (Windows + _rows.Rows - 1) / _rows.Rows;

    public int[] Tokens => _rows.Integers(BatchField.Tokens).ToArray();

    public int[] Targets => _rows.Integers(BatchField.Targets).ToArray();

    public int[] Documents => _hasDocuments ? _rows.Integers(BatchField.Documents).ToArray() : [];

    /// <summary>Fills a micro-batch to train on; its tokens.</summary>
    public int[] Draw(long step, int microBatch)
    {
        Fill(step, microBatch);
        return Tokens;
    }

    public void Fill(long step, int microBatch) => _rows.Fill(_task, step, microBatch);

    /// <summary>Fills a batch to evaluate on; how many targets it has.</summary>
    public int Fill(long index)
    {
        _rows.Fill(_task, TaskSplit.Validation, index * _rows.Rows, Windows, All);
        return _rows.Targets;
    }
}
