using NanoFold.Engine.Model;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs.Scoring;

/// <summary>How questions are put to a model.</summary>
/// <param name="Stride">New tokens of each window of a page; null for the whole context.</param>
/// <param name="Begins">Whether every context begins with the token that begins a document.</param>
/// <param name="Detokenizes">Whether pages are of WikiText and joined first.</param>
public sealed record ItemOptions(int? Stride = null, bool Begins = false, bool Detokenizes = false);

/// <summary>Puts questions to a model: the log-likelihoods of what may follow, by the rules of the lm-evaluation-harness.</summary>
/// <param name="model">Causal.</param>
/// <param name="tokenizer">Its tokenizer.</param>
/// <param name="options">How.</param>
public sealed class ItemScoring(Transformer model, Tokenizer tokenizer, ItemOptions options)
{
    private readonly PromptEncoder _encoder = new(
        tokenizer,
        model.Config.Context,
        options.Begins && tokenizer.Bos is null ? throw new UserException("--bos: the tokenizer has no token that begins a document") : options.Begins);

    /// <summary>Scores the questions of a file.</summary>
    /// <exception cref="UserException">One of them does not go into the model, or a score is not finite.</exception>
    public ItemResults Run(ItemFile file, CancellationToken cancel = default)
    {
        var asked = new Asked[file.Items.Count][];
        var rows = new List<ScoredRow>();
        var of = new List<Asked>();
        for (int i = 0; i < asked.Length; i++)
        {
            cancel.ThrowIfCancellationRequested();
            ScoredItem item = file.Items[i];
            asked[i] = [.. file.Kind == ItemKind.Page ? [Page(item, rows, of)] : item.Choices.Select(choice => Choice(item, choice, rows, of))];
        }

        // By length, so that rows that are alike go together; the sort keeps the order of equal ones.
        using var scorer = new RowScorer(model);
        scorer.Score(rows.OrderBy(row => row.Tokens.Length), (row, scores) => of[(int)row.Id].Scores[row.Id] = scores.ToArray(), cancel);
        return new ItemResults(file, [.. asked.Select((choices, i) => Result(file, i, choices))]);
    }

    private Asked Choice(ScoredItem item, string choice, List<ScoredRow> rows, List<Asked> of)
    {
        var asked = new Asked();
        of.Add(asked);
        rows.Add(_encoder.Row(rows.Count, item.Context, $" {choice}", item.Place));
        return asked;
    }

    private Asked Page(ScoredItem item, List<ScoredRow> rows, List<Asked> of)
    {
        var asked = new Asked();
        int[] tokens = _encoder.Page(options.Detokenizes ? WikiText.Join(item.Context) : item.Context);
        if (tokens.Length < 2)
        {
            throw new UserException($"{item.Place}: has no token that is asked about");
        }

        foreach (SlidingWindow window in SlidingWindows.Over(tokens.Length - 1, model.Config.Context, options.Stride ?? model.Config.Context))
        {
            of.Add(asked);
            rows.Add(window.Row(rows.Count, tokens.AsSpan((int)window.Start, window.Length + 1)));
        }

        return asked;
    }

    private static ItemResult Result(ItemFile file, int index, Asked[] choices)
    {
        TokenScore[][] tokens = [.. choices.Select(choice => choice.Scores.Values.SelectMany(scores => scores).ToArray())];
        double[] sums = [.. tokens.Select(scores => -scores.Sum(score => score.Nats))];
        return sums.All(double.IsFinite)
            ? new ItemResult(file.Items[index], sums, tokens)
            : throw new UserException($"{file.Items[index].Place}: its score is not finite; the model's weights are damaged or its training diverged");
    }

    // The rows of one continuation, by their numbers.
    private sealed class Asked
    {
        public SortedDictionary<long, TokenScore[]> Scores { get; } = [];
    }
}
