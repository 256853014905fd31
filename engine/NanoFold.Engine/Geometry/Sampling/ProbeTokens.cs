using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Geometry.Sampling;

/// <summary>The tokens that are measured, [B, T], with their documents and classes.</summary>
internal sealed class ProbeTokens
{
    private readonly LearningTask _task;
    private readonly ProbeShape _shape;
    private IReadOnlyList<LabelColumn> _more = [];

    /// <param name="task">Where they come from.</param>
    /// <param name="shape">How many.</param>
    public ProbeTokens(LearningTask task, ProbeShape shape)
    {
        (_task, _shape) = (task, shape);
        Rows = new BatchRows([.. task.Fields(shape.Time), .. task.Labels.Select(labels => BatchField.OfScores(labels.Field, shape.Time))], shape.Batch);
    }

    /// <summary>What the model is given.</summary>
    public BatchRows Rows { get; }

    /// <summary>The document of each token.</summary>
    public int[] Documents { get; private set; } = [];

    /// <summary>The classes of each token.</summary>
    public IReadOnlyList<LabelColumn> Labels { get; private set; } = [];

    /// <summary>The values of one of <see cref="Labels"/>.</summary>
    public int[] Of(string label) => Labels.First(column => column.Name == label).Values;

    /// <summary>Takes rows evenly spaced over those that the task has for it.</summary>
    /// <param name="labels">More classes of the tokens, given where each row is among all of them.</param>
    public void Read(Func<IReadOnlyList<long>, IReadOnlyList<LabelColumn>>? labels)
    {
        long all = _task.Rows(TaskSplit.Probe, _shape.Time), taken = Math.Min(_shape.Batch, all);
        Rows.Fill(_task, TaskSplit.Probe, 0, taken, all);
        _more = labels?.Invoke([.. Enumerable.Range(0, (int)taken).Select(row => BatchRows.Spaced(row, taken, all))]) ?? [];
        Span<int> tokens = Rows.Integers(BatchField.Tokens), documents = Rows.Integers(BatchField.Documents);
        // Without tokens no two places are alike; without documents every row is one.
        Take(
            tokens.IsEmpty ? [.. Enumerable.Range(0, _shape.Tokens)] : tokens,
            documents.IsEmpty ? [.. Enumerable.Range(0, _shape.Tokens).Select(place => place / _shape.Time)] : documents,
            Rows.Integers(BatchField.Targets));
    }

    /// <summary>Takes given tokens, [B, T], and the documents that they are of.</summary>
    public void Read(ReadOnlySpan<int> tokens, ReadOnlySpan<int> documents)
    {
        tokens.CopyTo(Rows.Integers(BatchField.Tokens));
        _more = [];
        if (Rows.Integers(BatchField.Documents) is { IsEmpty: false } own)
        {
            documents.CopyTo(own);
        }

        Take(tokens, documents, []);
    }

    /// <summary>Puts the tokens, with their classes, into an order drawn at random over all rows; false where the model reads none. What comes next is what does so then.</summary>
    public bool Shuffle(ulong seed)
    {
        Span<int> tokens = Rows.Integers(BatchField.Tokens), targets = Rows.Integers(BatchField.Targets);
        if (tokens.IsEmpty)
        {
            return false;
        }

        bool asksNext = true;
        for (int i = 0; i < targets.Length; i++)
        {
            asksNext &= (i + 1) % _shape.Time == 0 || targets[i] < 0 || targets[i] == tokens[i + 1];
        }

        int[] order = new GaussianSource(seed).Order(tokens.Length);
        Permute(tokens, order);
        Permute(targets, order);
        foreach (string field in _task.Labels.Select(labels => labels.Field))
        {
            Permute(Rows.Integers(field), order);
        }

        _more = [.. _more.Select(column => column.At(order))];
        for (int i = 0; asksNext && i < targets.Length; i++)
        {
            targets[i] = (i + 1) % _shape.Time > 0 ? tokens[i + 1] : -1;
        }

        Take(tokens, Documents, targets);
        return true;
    }

    private static void Permute(Span<int> values, int[] order)
    {
        int[] old = values.ToArray();
        for (int i = 0; i < old.Length; i++)
        {
            values[i] = old[order[i]];
        }
    }

    private void Take(ReadOnlySpan<int> tokens, ReadOnlySpan<int> documents, ReadOnlySpan<int> targets)
    {
        Documents = documents.ToArray();
        Labels =
        [
            .. LabelColumn.Always(tokens, targets, _shape.Time),
            .. _task.Labels.Select(labels => new LabelColumn(labels.Name, labels.Classes, Rows.Integers(labels.Field).ToArray())),
            .. _more,
        ];
    }
}
