using System.Diagnostics;
using NanoFold.Engine.Data;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Experiments.Baselines;

/// <summary>The n-gram model of a text on the rows that runs are evaluated on; the tokens before a target count also where they stand in the row before.</summary>
/// <param name="dataset">The text, in tokens.</param>
/// <param name="data">How runs cut it into rows.</param>
internal sealed class TextNGram(TokenDataset dataset, DataConfig data)
{
    // Those of a text larger than this are its last ones: the tables take up to 200 MB then.
    private const long MostTrainTokens = 1L << 23;

    // Of the rows that stand for all that is held back.
    private const int PlacesOfRow = 1024;
    private const long MostRows = 1024;

    private readonly List<int> _text = [];
    private readonly List<(int Place, int Known)> _asked = [];

    /// <summary>On all that is held back, up to about a million places evenly spaced, and on the rows of evaluations.</summary>
    /// <param name="rows">For each of them, places of a row and how many rows, evenly spaced; 0 for all.</param>
    /// <param name="cancel">Ends counting.</param>
    public NGramBaseline Evaluate(IEnumerable<(int Context, long Rows)> rows, CancellationToken cancel = default)
    {
        long began = Stopwatch.GetTimestamp();
        // The task is the dataset's, which stays open.
        var task = new TextTask(dataset.Train, dataset.Validation, dataset.Name, dataset.Tokenizer.ByteLengths, data, seed: 0);
        RowSet all = Ask(task, PlacesOfRow, MostRows);
        RowSet[] sets = [.. rows.Distinct().Select(set => TakenOf(task, set.Context, set.Rows) * set.Context > PlacesOfRow * MostRows ? all with { Context = set.Context, Asked = set.Rows } : Ask(task, set.Context, set.Rows))];
        int[] train = new int[Math.Min(dataset.Train.Tokens, MostTrainTokens)];
        dataset.Train.Copy(dataset.Train.Tokens - train.Length, train);
        double[] probabilities = KneserNey.Probabilities(train, dataset.Tokenizer.Vocab, [.. _text], _asked, KneserNey.Order, cancel);
        float[] nats = [.. probabilities.Select(p => (float)-Math.Log(p))];
        (double loss, double bits) = Mean(all, nats);
        return new NGramBaseline(KneserNey.Order, train.Length, all.Targets, loss)
        {
            BitsPerByte = bits,
            OnRows = [.. sets.Select(set => Mean(set, nats) is var (mean, perByte) ? new NGramRows(set.Context, set.Asked, set.Rows, mean) { BitsPerByte = perByte } : default)],
            Breakdowns = TellApart(task, all, nats),
            Seconds = Stopwatch.GetElapsedTime(began).TotalSeconds,
        };
    }

    // Asks for the targets of rows as an evaluator takes them.
    private RowSet Ask(TextTask task, int context, long rows)
    {
        TokenShard shard = dataset.Validation;
        long every = task.Rows(TaskSplit.Validation, context), taken = TakenOf(task, context, rows), bytes = 0;
        var batch = new BatchRows(task.Evaluated(context).Append(BatchField.OfDocuments(context)).DistinctBy(field => field.Name), 1);
        int first = _asked.Count;
        for (long row = 0; row < taken; row++)
        {
            long start = NumberOf(row, taken, every) * context, from = Math.Max(0, start - KneserNey.Order + 2);
            int[] tokens = new int[Math.Min(shard.Tokens, start + context + 1) - from];
            shard.Copy(from, tokens);
            batch.Fill(task, TaskSplit.Validation, row, taken, every);
            ReadOnlySpan<int> targets = batch.Integers(BatchField.Targets), documents = batch.Integers(BatchField.Documents);
            for (int t = 0; t < context; t++)
            {
                if (targets[t] >= 0)
                {
                    long place = start + t + 1, known = data.MaskDocuments ? Math.Max(from, shard.DocumentStart(documents[t])) : from;
                    _asked.Add((_text.Count + (int)(place - from), (int)Math.Min(KneserNey.Order - 1, place - known)));
                    bytes += dataset.Tokenizer.ByteLengths[targets[t]];
                }
            }

            _text.AddRange(tokens);
        }

        return new RowSet(context, rows, taken, every, first, _asked.Count - first, bytes);
    }

    private static long TakenOf(TextTask task, int context, long rows) => task.Rows(TaskSplit.Validation, context) is var every && rows == 0 ? every : Math.Min(rows, every);

    // ⌊row · every / taken⌋, as an evaluation takes them.
    private static long NumberOf(long row, long taken, long every) => (long)((Int128)row * every / taken);

    private static (double Loss, double BitsPerByte) Mean(in RowSet set, float[] nats)
    {
        double sum = 0;
        foreach (float loss in nats.AsSpan(set.First, set.Targets))
        {
            sum += loss;
        }

        return (sum / set.Targets, sum / (Math.Log(2) * set.Bytes));
    }

    private static IReadOnlyList<ScoreBreakdown> TellApart(TextTask task, in RowSet set, float[] nats)
    {
        var score = new BreakdownScore(task.NewScore(), task.Axes, task.ByteLengths);
        var batch = new BatchRows([.. task.Evaluated(set.Context), .. task.FieldsOf(task.Axes, set.Context)], 1);
        var losses = new float[set.Context];
        int next = set.First;
        for (long row = 0; row < set.Rows; row++)
        {
            batch.Fill(task, TaskSplit.Validation, row, set.Rows, set.Every);
            ReadOnlySpan<int> targets = batch.Integers(BatchField.Targets);
            for (int t = 0; t < targets.Length; t++)
            {
                losses[t] = targets[t] >= 0 ? nats[next++] : 0;
            }

            score.Add(batch, losses, []);
        }

        return score.Breakdowns;
    }

    // Rows, and which of what was asked for is theirs.
    private readonly record struct RowSet(int Context, long Asked, long Rows, long Every, int First, int Targets, long Bytes);
}
