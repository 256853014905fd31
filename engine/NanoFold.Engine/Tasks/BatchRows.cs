using NanoFold.Kernels;

namespace NanoFold.Engine.Tasks;

/// <summary>The fields of a batch on the host, row by row; memory is taken when a field is first asked for.</summary>
public sealed class BatchRows
{
    private readonly BatchField[] _fields;
    private readonly int[]?[] _integers;
    private readonly float[]?[] _reals;

    /// <param name="fields">What a task has.</param>
    /// <param name="rows">B.</param>
    public BatchRows(IEnumerable<BatchField> fields, int rows)
    {
        _fields = [.. fields];
        Rows = rows;
        _integers = new int[_fields.Length][];
        _reals = new float[_fields.Length][];
        if (_fields.GroupBy(field => field.Name).FirstOrDefault(group => group.Count() > 1) is { } twice)
        {
            throw new ArgumentException($"a batch has two fields of the name {twice.Key}");
        }
    }

    /// <summary>B.</summary>
    public int Rows { get; }

    /// <summary>What there is.</summary>
    public IReadOnlyList<BatchField> Fields => _fields;

    /// <summary>Places with a target, of the rows that were filled last.</summary>
    public int Targets { get; private set; }

    /// <summary>The whole numbers of a field, all rows after another; empty where the batch does not have it.</summary>
    public Span<int> Integers(string name) => Find(name, DType.Int32) is var index and >= 0 ? Integers(index) : [];

    /// <summary>The reals of a field, all rows after another; empty where the batch does not have it.</summary>
    public Span<float> Reals(string name) => Find(name, DType.Float32) is var index and >= 0 ? Reals(index) : [];

    /// <summary>Bytes of a batch of these fields.</summary>
    public static long Bytes(IEnumerable<BatchField> fields, int rows) => fields.Sum(field => (long)sizeof(int) * field.RowCount * rows);

    /// <summary>Fills a micro-batch of training.</summary>
    internal void Fill(LearningTask task, long step, int microBatch)
    {
        Targets = 0;
        for (int row = 0; row < Rows; row++)
        {
            Targets += Fill(task, new RowKey(TaskSplit.Training, step, microBatch, row, Rows), row);
        }
    }

    /// <summary>Fills each row by a call of its own, which gives the places with a target.</summary>
    internal void Fill(RowFiller fill)
    {
        Targets = 0;
        for (int row = 0; row < Rows; row++)
        {
            Clear(row);
            Targets += fill(row, new BatchRow(this, row));
        }
    }

    /// <summary>Fills one row.</summary>
    internal delegate int RowFiller(int row, in BatchRow into);

    /// <summary>Fills a batch of rows that are spaced evenly over those of another split: number <paramref name="first"/> and those after it, up to <paramref name="taken"/> of <paramref name="all"/>.</summary>
    /// <param name="task">Fills them.</param>
    /// <param name="split">Of which they are.</param>
    /// <param name="first">Of the rows that are taken.</param>
    /// <param name="taken">How many are in all batches.</param>
    /// <param name="all">How many there are.</param>
    /// <param name="together">So many neighbors are taken together, and their groups spaced.</param>
    internal void Fill(LearningTask task, TaskSplit split, long first, long taken, long all, int together = 1)
    {
        long groups = (taken + together - 1) / together, ofAll = (all + together - 1) / together;
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        Targets = 0;
        for (int row = 0; row < Rows; row++)
        {
            if (first + row < taken)
            {
                (long group, long of) = Math.DivRem(first + row, together);
                Targets += Fill(task, RowKey.At(split, (Spaced(group, groups, ofAll) * together) + of), row);
            }
            else
            {
                Clear(row);
            }
        }
    }

    /// <summary>The place of a row among all, of those that are taken spaced evenly: ⌊i · all / taken⌋ in 128 bits, for the products of large texts pass 64.</summary>
    internal static long Spaced(long row, long taken, long all) => (long)((Int128)row * all / taken);

    /// <summary>One of its rows.</summary>
    public BatchRow Row(int row) => new(this, row);

    internal Span<int> Integers(int field) => _integers[field] ??= new int[_fields[field].RowCount * Rows];

    internal Span<float> Reals(int field) => _reals[field] ??= new float[_fields[field].RowCount * Rows];

    internal int Find(string name, DType type)
    {
        for (int i = 0; i < _fields.Length; i++)
        {
            if (_fields[i].Name == name)
            {
                return _fields[i].Type == type ? i : throw new ArgumentException($"batch field {name}: is of {_fields[i].Type}, not of {type}");
            }
        }

        return -1;
    }

    private int Fill(LearningTask task, in RowKey key, int row)
    {
        Clear(row);
        return task.Fill(key, new BatchRow(this, row));
    }

    private void Clear(int row)
    {
        for (int i = 0; i < _fields.Length; i++)
        {
            BatchField field = _fields[i];
            if (field.Type == DType.Int32)
            {
                Integers(i).Slice(row * field.RowCount, field.RowCount).Fill(field.Empty);
            }
            else
            {
                Reals(i).Slice(row * field.RowCount, field.RowCount).Clear();
            }
        }
    }
}

/// <summary>A row of a batch, to be filled. It comes full of what its fields say (<see cref="BatchField.Empty"/>).</summary>
public readonly ref struct BatchRow
{
    private readonly BatchRows _batch;
    private readonly int _row;

    internal BatchRow(BatchRows batch, int row) => (_batch, _row) = (batch, row);

    /// <summary>The whole numbers of a field; empty where nobody wants them.</summary>
    public Span<int> Integers(string field) => _batch.Find(field, DType.Int32) is var index and >= 0
        ? _batch.Integers(index).Slice(_row * _batch.Fields[index].RowCount, _batch.Fields[index].RowCount)
        : [];

    /// <summary>The reals of a field; empty where nobody wants them.</summary>
    public Span<float> Reals(string field) => _batch.Find(field, DType.Float32) is var index and >= 0
        ? _batch.Reals(index).Slice(_row * _batch.Fields[index].RowCount, _batch.Fields[index].RowCount)
        : [];
}
