using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// A small language of which all is known: sentences in which verbs agree with their subject in number, also across other nouns, in which <c>himself</c>, <c>she</c>, <c>they</c>
/// refer to nouns by gender and number, and which say where people live: fixed facts, some of which come often and some rarely. Every place is labelled for measurements of the
/// stream, and there are pairs of rows of which one breaks a rule. <c>accuracy</c> is the share of the places at which a rule or a fact decides where the right form is the likeliest of its
/// forms; <c>sourceLoss</c> is the least loss, <c>excess</c> the loss above it.
/// </summary>
public sealed record GrammarConfig : LabelledTaskConfig
{
    public static GrammarConfig Tiny => new() { Names = 8, Places = 4, ValidationRows = 6 };

    /// <summary>People of whom it is said where they live; the n-th comes 1/n times as often as the first.</summary>
    [Bounds(4, 8000)]
    public int Names { get; init; } = 64;

    /// <summary>Where they live.</summary>
    [Bounds(2, 8000)]
    public int Places { get; init; } = 16;

    /// <summary>Share of sentences that are facts.</summary>
    [Bounds(0, 1)]
    public double Facts { get; init; } = 0.25;

    /// <summary>Share of subjects that another noun follows before their verb: <c>the king near the cats sleeps</c>.</summary>
    [Bounds(0, 1)]
    public double Modifiers { get; init; } = 0.4;

    /// <summary>Share of objects that refer to the subject: <c>the queen sees herself</c>.</summary>
    [Bounds(0, 1)]
    public double Reflexives { get; init; } = 0.3;

    /// <summary>Share of sentences after one with a subject that go on about it: <c>she sleeps</c>.</summary>
    [Bounds(0, 1)]
    public double Pronouns { get; init; } = 0.3;

    /// <inheritdoc/>
    public override int Vocab => GrammarWords.FirstName + Names + Places;

    /// <inheritdoc/>
    public override int LeastContext => 2;

    /// <inheritdoc/>
    public override int? UsualContext => 64;

    /// <inheritdoc/>
    protected override bool LabelsFollow => true;

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new Grammar(this, context);

    /// <inheritdoc/>
    protected override string VocabOf(string path) => $"{path}.names = {Names} and {path}.places = {Places}";
}

internal sealed class Grammar : LabelledTask
{
    private readonly GrammarConfig _config;
    private readonly GrammarWords _words;
    private readonly GrammarSentences _sentences;

    public Grammar(GrammarConfig config, TaskContext context)
        : base(config, context)
    {
        _config = config;
        _words = new GrammarWords(config.Names, config.Places);
        _sentences = new GrammarSentences(config, _words);
        Labels =
        [
            new(GrammarLabels.PartOfSpeech, NamesOf<GrammarPart>()), new(GrammarLabels.Number, NamesOf<GrammarNumber>()), new(GrammarLabels.Gender, NamesOf<GrammarGender>()),
            new(GrammarLabels.Role, ["subject", "attractor", "object"]), new(GrammarLabels.Agreement, NamesOf<GrammarNumber>()), new(GrammarLabels.Referent, GrammarWords.Nouns),
            new(GrammarLabels.Fact, ["frequent", "middling", "rare"]),
        ];
    }

    public override int Vocab => _words.Count;

    public override double? LossOfGuessing => Math.Log(_words.Count);

    public override string GroupedBy => "construction";

    /// <summary>The numbers of <see cref="GrammarAsked"/>.</summary>
    public override string GroupMeaning => "0 any, 1 agreement, 2 across, 3 reflexive, 4 pronoun, 5–7 facts";

    public override IReadOnlyList<PlaceLabels> Labels { get; }

    public override IReadOnlyList<BatchField> Fields(int time) => [.. base.Fields(time), BatchField.OfGroups(time), BatchField.RealsOfScores(GrammarWriter.Nats, time)];

    public override string Symbol(int token) => _words.Text(token);

    public override IEnumerable<string> Describe() =>
    [
        $"a language of {_words.Count} words; verbs agree with their subject, {Percent(_config.Modifiers)} of them across another noun",
        $"facts: where {_config.Names} people live, of {_config.Places} places; {Percent(_config.Facts)} of sentences say one",
    ];

    public override TaskScore NewScore() => new GrammarScore(_words);

    /// <summary>What the source itself scores: no model can do better on average.</summary>
    public override IReadOnlyList<Score> Best() => new GrammarScore(_words).Best(HeldBackRows());

    public override TaskLoss RecordLoss(Tape tape, Transformer model, BatchTensors batch)
    {
        if (tape.IsTraining)
        {
            return base.RecordLoss(tape, model, batch);
        }

        // A model may have more words than the language, whose logits nobody reads.
        (Tensor loss, Tensor losses, Tensor logits) = RecordLogits(tape, model, batch);
        return new TaskLoss(loss, losses, BroadcastOp.Contiguous(tape, logits.Slice(logits.Layout.Rank - 1, 0, Vocab)));
    }

    public override IReadOnlyList<MinimalPair> MinimalPairs(int each) => GrammarPairs.Of(this, _words, Time, each);

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row) => _sentences.Fill(ref draws, row);

    private static string Percent(double share) => FormattableString.Invariant($"{share * 100:0} %");

    private static string[] NamesOf<T>()
        where T : struct, Enum
        => [.. Enum.GetNames<T>().Select(name => char.ToLowerInvariant(name[0]) + name[1..])];
}
