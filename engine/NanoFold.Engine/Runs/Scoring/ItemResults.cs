using System.Text;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Runs.Scoring;

/// <summary>What a model said to a question.</summary>
/// <param name="Item">The question.</param>
/// <param name="LogLikelihoods">Of each choice, in nats; of a page, its own.</param>
/// <param name="Tokens">The scores of the tokens of each.</param>
public sealed record ItemResult(ScoredItem Item, IReadOnlyList<double> LogLikelihoods, IReadOnlyList<IReadOnlyList<TokenScore>> Tokens)
{
    /// <summary>The choice of the largest log-likelihood; of equal ones the first.</summary>
    public int Predicted => Largest(LogLikelihoods);

    /// <summary>That of the largest log-likelihood for each character of a choice.</summary>
    public int PredictedByCharacter => Largest([.. LogLikelihoods.Select((sum, i) => sum / TextSpaces.Characters(Item.Choices[i]))]);

    /// <summary>That of the largest log-likelihood for each byte of a choice.</summary>
    public int PredictedByByte => Largest([.. LogLikelihoods.Select((sum, i) => sum / Encoding.UTF8.GetByteCount(Item.Choices[i]))]);

    /// <summary>Whether every token of a choice is what the model finds most likely there.</summary>
    public bool IsGreedy(int choice) => Tokens[choice].All(token => token.IsGreedy);

    /// <summary>Softmax of the log-likelihoods.</summary>
    public double[] Probabilities()
    {
        double top = LogLikelihoods.Max(), sum = LogLikelihoods.Sum(value => Math.Exp(value - top));
        return [.. LogLikelihoods.Select(value => Math.Exp(value - top) / sum)];
    }

    private static int Largest(IReadOnlyList<double> values)
    {
        int largest = 0;
        for (int i = 1; i < values.Count; i++)
        {
            largest = values[i] > values[largest] ? i : largest;
        }

        return largest;
    }
}

/// <summary>What a model said to the questions of a file.</summary>
/// <param name="File">The questions.</param>
/// <param name="Items">Each.</param>
public sealed record ItemResults(ItemFile File, IReadOnlyList<ItemResult> Items)
{
    /// <summary>The figures of its kind, by name.</summary>
    public IReadOnlyList<Score> Figures => File.Kind switch
    {
        ItemKind.Choice => OfChoices(),
        ItemKind.LastWord =>
        [
            .. Share("accuracy", item => item.IsGreedy(0)),
            new Score("perplexity", Math.Exp(-Items.Average(item => item.LogLikelihoods[0]))),
        ],
        _ => OfPages(),
    };

    /// <summary>How far the probabilities of choices are from how often they are right; null where there are no choices.</summary>
    public Calibration? Calibration => File.Kind == ItemKind.Choice ? CalibrationOf([this]) : null;

    /// <summary>The same of the choices of several files together.</summary>
    public static Calibration CalibrationOf(IEnumerable<ItemResults> files)
    {
        var calibration = new Calibration();
        foreach (ItemResult item in files.Where(file => file.File.Kind == ItemKind.Choice).SelectMany(file => file.Items))
        {
            calibration.Add(item.Probabilities(), item.Item.Gold);
        }

        return calibration;
    }

    private Score[] OfChoices() =>
    [
        .. Share("accuracy", item => item.Predicted == item.Item.Gold),
        .. Share("accuracyNormalized", item => item.PredictedByCharacter == item.Item.Gold),
        new Score("accuracyByBytes", Items.Average(item => item.PredictedByByte == item.Item.Gold ? 1.0 : 0)),
    ];

    private Score[] OfPages()
    {
        double nats = -Items.Sum(item => item.LogLikelihoods[0]);
        long tokens = Items.Sum(item => (long)item.Tokens[0].Count);
        long words = Items.Sum(item => TextSpaces.Words(item.Item.Context)), bytes = Items.Sum(item => (long)Encoding.UTF8.GetByteCount(item.Item.Context));
        return
        [
            new("loss", nats / tokens), new("wordPerplexity", Math.Exp(nats / words)), new("bytePerplexity", Math.Exp(nats / bytes)), new("bitsPerByte", nats / bytes / Math.Log(2)),
            new("tokens", tokens), new("words", words), new("bytes", bytes),
        ];
    }

    // A share of the questions, and its standard error over them.
    private Score[] Share(string name, Func<ItemResult, bool> isRight)
    {
        double share = Items.Average(item => isRight(item) ? 1.0 : 0);
        return [new(name, share), new($"{name}Error", Math.Sqrt(share * (1 - share) / (Items.Count - 1)))];
    }
}
