using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// A chain of words, each beginning with the last letter of the one before, any such word as likely as any other: a rule of bigrams. Tokens are words, or letters and spaces.
/// <c>accuracy</c> is how often the rule is kept: the share of words, or of letters after a space, that are predicted to begin as they must. The least loss is known:
/// <c>sourceLoss</c>; <c>excess</c> is the loss above that.
/// </summary>
public sealed record WordChainConfig : SourceTaskConfig
{
    public static WordChainConfig Tiny => new() { Letters = true, ValidationRows = 6 };

    /// <summary>Whether tokens are letters and spaces rather than words.</summary>
    public bool Letters { get; init; }

    /// <inheritdoc/>
    public override int Vocab => NewSource().Symbols;

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new WordChain(this, context, NewSource());

    /// <inheritdoc/>
    protected override string VocabOf(string path) => $"{path}.letters = {(Letters ? "true" : "false")}";

    private ChainSource NewSource() => Letters ? new LetterChain() : new WholeWordChain();
}

internal sealed class WordChain(WordChainConfig config, TaskContext context, ChainSource source) : SourceTask(config, context, source)
{
    // Rows that tokens are counted in: about as many as some hundred steps read.
    private const int CountedRows = 2000;

    public override IReadOnlyList<Score> Best() => [.. base.Best(), new Score(Evaluation.Accuracy, 1)];

    public override IEnumerable<Baseline> Baselines()
    {
        if (ValidationRows == 0)
        {
            yield break;
        }

        // What a next token depends on: the word before; a letter and a space.
        int order = config.Letters ? 3 : 2;
        var counts = new NGramCounts(order, source.Symbols);
        var row = new BatchRows(Fields(Time), 1);
        for (int step = 0; step < CountedRows; step++)
        {
            row.Fill(this, step, microBatch: 0);
            counts.Count(row.Integers(BatchField.Tokens));
        }

        var score = new ChainScore(source);
        score.Begin();
        float[] losses = new float[Time];
        int[] predicted = new int[Time];
        foreach (BatchRows held in HeldBackRows())
        {
            counts.Predict(held.Integers(BatchField.Tokens), held.Integers(BatchField.Targets), losses, predicted);
            score.AddPredicted(held, losses, predicted);
        }

        yield return new Baseline(order == 2 ? "bigram" : "trigram", [.. score.Result().Figures.Where(figure => figure.Name != SourceScore.OfSource)]);
    }

    public override string Symbol(int token) => source.Symbol(token);

    public override IReadOnlyList<string> Show(in BatchRow row) => config.Letters ? [string.Concat(row.Integers(BatchField.Tokens).ToArray().Select(Symbol))] : base.Show(row);

    public override TaskScore NewScore() => new ChainScore(source);

    public override IEnumerable<string> Describe() =>
        [$"a chain of {WordList.Words.Count} words, each beginning with the last letter of the one before; tokens are {(config.Letters ? "letters and spaces" : "words")}"];
}

/// <summary>The loss, that of the source, and how often the rule of the chain is kept.</summary>
internal sealed class ChainScore(ChainSource source) : SymbolScore(source)
{
    private long _asked;
    private long _kept;

    public override void Begin()
    {
        base.Begin();
        (_asked, _kept) = (0, 0);
    }

    public override void Add(BatchRows batch, ScoredValues scored)
    {
        base.Add(batch, scored);
        AddKept(batch, scored.Integers(1));
    }

    /// <summary>Adds the losses and predictions of something else than a model.</summary>
    public void AddPredicted(BatchRows batch, ReadOnlySpan<float> losses, ReadOnlySpan<int> predicted)
    {
        Add(batch, losses, []);
        AddSource(batch);
        AddKept(batch, predicted);
    }

    public override Evaluation Result()
    {
        Evaluation result = base.Result();
        return result with { Scores = [new Score(Evaluation.Accuracy, (double)_kept / _asked), .. result.Scores!] };
    }

    private void AddKept(BatchRows batch, ReadOnlySpan<int> predicted)
    {
        ReadOnlySpan<int> tokens = batch.Integers(BatchField.Tokens), targets = batch.Integers(BatchField.Targets);
        for (int i = 0; i < tokens.Length; i++)
        {
            if (targets[i] >= 0 && source.IsBeforeWord(tokens[i]))
            {
                _asked++;
                _kept += predicted[i] < source.Symbols && source.First(predicted[i]) == source.First(targets[i]) ? 1 : 0;
            }
        }
    }
}
