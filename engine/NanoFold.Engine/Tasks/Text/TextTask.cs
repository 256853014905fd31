using System.Globalization;
using NanoFold.Engine.Data;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// The next token of a text. Rows to train on are drawn at random places; those to validate with are the windows [i·T, (i + 1)·T) of what is held back, in which each token but
/// the first is a target once. Scored are nats per token and bits per byte.
/// </summary>
public sealed class TextTask : LearningTask
{
    // The standard error of a mean loss over so many tokens is about a tenth of a nat.
    private const int FewTokens = 1000;

    private readonly TokenDataset? _dataset;
    private readonly DataConfig _data;
    private readonly TokenShard? _train;
    private readonly TokenShard _validation;
    private readonly TextDraws? _draws;
    private readonly int[] _byteLengths;
    private readonly TextAxes _axes;

    /// <summary>To train on, with what is held back of it.</summary>
    /// <param name="dataset">The text; disposed with the task.</param>
    /// <param name="data">How it is cut into rows.</param>
    /// <param name="seed">Decides every draw.</param>
    public TextTask(TokenDataset dataset, DataConfig data, ulong seed)
        : this(dataset.Train, dataset.Validation, dataset.Name, dataset.Tokenizer.ByteLengths, data, seed)
        => (_dataset, OfText) = (dataset, dataset.Tokenizer);

    /// <summary>To evaluate on all of a text.</summary>
    /// <param name="text">Its tokens; not disposed here.</param>
    /// <param name="name">What messages call the text.</param>
    /// <param name="byteLengths">Bytes of each token of the vocabulary.</param>
    /// <param name="maskDocuments">Whether tokens see their own document only.</param>
    /// <param name="counted">The text that was trained on, by which tokens are frequent or not; null where it is not known.</param>
    /// <exception cref="UserException">There are fewer than two tokens, so nothing to predict.</exception>
    public TextTask(TokenShard text, string name, ReadOnlySpan<int> byteLengths, bool maskDocuments = false, TokenShard? counted = null)
    {
        RequireTargets(text, name);
        _validation = text;
        _byteLengths = byteLengths.ToArray();
        _axes = new TextAxes(counted);
        _data = new DataConfig { MaskDocuments = maskDocuments };
        Name = name;
    }

    /// <summary>Throws where there is nothing to predict.</summary>
    /// <exception cref="UserException">There are fewer than two tokens.</exception>
    internal static void RequireTargets(TokenShard text, string name)
    {
        if (text.Tokens < 2)
        {
            throw new UserException($"{name}: has {text.Tokens} tokens to validate with, but at least 2 are needed: use more text or a larger share for validation");
        }
    }

    /// <summary>To train on a shard; neither is disposed here.</summary>
    internal TextTask(TokenShard train, TokenShard validation, string name, ReadOnlySpan<int> byteLengths, DataConfig data, ulong seed)
    {
        _data = data;
        _train = train;
        _validation = validation;
        _byteLengths = byteLengths.ToArray();
        _draws = new TextDraws(train, seed, data.Draws);
        _axes = new TextAxes(train);
        Name = name;
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    internal override Tokenizer? OfText { get; }

    /// <inheritdoc/>
    public override int Vocab => _byteLengths.Length;

    /// <inheritdoc/>
    public override string ContentHash => _dataset?.ContentHash ?? "";

    /// <inheritdoc/>
    public override double? LossOfGuessing => Math.Log(Vocab);

    /// <inheritdoc/>
    public override string? Doubt => _dataset is null ? null : DoubtAbout(_dataset, _data);

    /// <summary>Bytes of each token of the vocabulary.</summary>
    internal int[] ByteLengths => _byteLengths;

    /// <inheritdoc/>
    internal override IReadOnlyList<ScoreAxis> Axes => _axes.All;

    // Where nothing is held back, what is trained on is measured.
    private TokenShard Measured => _validation.Tokens > 1 || _train is null ? _validation : _train;

    /// <summary>Why a validation loss is going to say little, in a line, or null; where none was asked for, none is missing.</summary>
    public static string? DoubtAbout(TokenDataset dataset, DataConfig data)
    {
        long tokens = dataset.Validation.Tokens;
        string what = data.Validation is { } path ? $"the validation text {path}" : "what is held back for validation";
        string remedy = data.Validation is not null ? "give it more" : "use more text, a larger data.validationFraction, or a text of its own (data.validation)";
        return data.Validation is null && data.ValidationFraction == 0 ? null
            : tokens < 2 ? $"{what} has {(tokens == 0 ? "no tokens" : "one token")}, so there will be no validation loss: {remedy}"
            : tokens < FewTokens ? $"{what} has only {tokens} tokens, so its loss says little: {remedy}"
            : null;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<BatchField> Fields(int time)
        => [.. BatchField.OfTokens(time), BatchField.OfDocuments(time, _data.MaskDocuments)];

    /// <inheritdoc/>
    public override void RequireRows(int time)
    {
        if (_train!.Tokens <= time)
        {
            throw new UserException(
                $"{Name}: has {_train.Tokens} tokens to train on, but a context of {time} needs {time + 1L}: use more text{(_train.Tokens > 1 ? $" or a context of at most {_train.Tokens - 1}" : "")}");
        }
    }

    /// <inheritdoc/>
    public override long Places(TaskSplit split) => split switch
    {
        TaskSplit.Training => _train!.Tokens - 1,
        TaskSplit.Validation => Math.Max(0, _validation.Tokens - 1),
        _ => Measured.Tokens - 1,
    };

    /// <inheritdoc/>
    public override int Fill(in RowKey key, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets), documents = row.Integers(BatchField.Documents);
        (TokenShard shard, long start) = key.Split switch
        {
            TaskSplit.Training => (_train!, _draws!.StartOf(key, tokens.Length)),
            TaskSplit.Validation => (_validation, key.Number * tokens.Length),
            _ => (Measured, key.Number * tokens.Length),
        };
        TokenWindow.Fill(shard, start, tokens, targets, documents);
        _axes.Fill(shard, start + 1, row);
        return targets.Length - targets.Count(TokenWindow.NoTarget);
    }

    /// <inheritdoc/>
    public override TaskScore NewScore() => new TextScore(_byteLengths);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Show(in BatchRow row) => OfText is null ? base.Show(row) : [OfText.DecodeText(row.Integers(BatchField.Tokens))];

    /// <inheritdoc/>
    public override IEnumerable<string> Describe()
    {
        if (_dataset is not null)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{Name}: {_dataset.Train.Tokens:N0} tokens{(_dataset.FromCache ? " (cached)" : "")}");
        }

        yield return string.Create(CultureInfo.InvariantCulture, $"validation: {_validation.Tokens:N0} tokens{(_data.Validation is { } path ? $" of {path}" : _dataset is null ? "" : $"; {_dataset.HeldBack}")}");
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => _dataset?.Dispose();
}
