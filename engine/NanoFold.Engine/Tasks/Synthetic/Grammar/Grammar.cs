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
    private const double AdjectiveShare = 0.3, RelativeShare = 0.25, TransitiveShare = 0.6;

    // Roles of nouns, as labels name them.
    private const int Subject = 0, Attractor = 1, Object = 2;

    private readonly GrammarConfig _config;
    private readonly GrammarWords _words;
    private readonly double[] _nameSums;
    private readonly int[] _homes;

    public Grammar(GrammarConfig config, TaskContext context)
        : base(config, context)
    {
        _config = config;
        _words = new GrammarWords(config.Names, config.Places);
        _nameSums = new double[config.Names];
        double all = Enumerable.Range(1, config.Names).Sum(rank => 1.0 / rank), sum = 0;
        for (int name = 0; name < config.Names; name++)
        {
            _nameSums[name] = sum += 1 / ((name + 1) * all);
        }

        var draws = RowDraws.OfTables(config.SplitSeed);
        _homes = new int[config.Names];
        for (int name = 0; name < config.Names; name++)
        {
            _homes[name] = draws.Below(config.Places);
        }

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
    public override IReadOnlyList<Score> Best()
    {
        var score = new GrammarScore(_words);
        foreach (BatchRows row in HeldBackRows())
        {
            score.AddSource(row);
        }

        return double.IsNaN(score.SourceLoss) ? [] : [new("loss", score.SourceLoss), new(SourceScore.Excess, 0), .. score.IsAsked ? [new Score(Evaluation.Accuracy, 1)] : Array.Empty<Score>()];
    }

    public override TaskLoss RecordLoss(Tape tape, Transformer model, BatchTensors batch)
    {
        if (tape.IsTraining)
        {
            return base.RecordLoss(tape, model, batch);
        }

        Tensor logits = model.Language.Logits(tape, RecordBody(tape, model, batch));
        (Tensor loss, Tensor losses) = CrossEntropyOp.Record(tape, logits, batch[BatchField.Targets]);
        return new TaskLoss(loss, losses, logits);
    }

    public override IReadOnlyList<MinimalPair> MinimalPairs(int each) => GrammarPairs.Of(this, _words, Time, each);

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        var writer = new GrammarWriter(row, _words);
        writer.Say(GrammarWords.End, 1);
        int noun = -1;
        GrammarNumber number = default;
        while (!writer.IsFull)
        {
            if (draws.Uniform() < _config.Facts)
            {
                SayFact(ref draws, ref writer);
                noun = -1;
                continue;
            }

            double likely = 1 - _config.Facts;
            if (noun >= 0 && draws.Uniform() < _config.Pronouns)
            {
                writer.Expected = (int)number;
                writer.Say(GrammarWords.Pronoun(noun, number), likely * _config.Pronouns, GrammarAsked.Pronoun, referent: noun);
                SayPredicate(ref draws, ref writer, noun, number, 1, GrammarAsked.Agreement);
            }
            else
            {
                (noun, number) = SayNoun(ref draws, ref writer, noun >= 0 ? likely * (1 - _config.Pronouns) : likely, Subject);
                SaySubject(ref draws, ref writer, noun, number);
            }

            writer.Say(GrammarWords.End, 1);
        }

        return writer.Targets;
    }

    private static string Percent(double share) => FormattableString.Invariant($"{share * 100:0} %");

    private static string[] NamesOf<T>()
        where T : struct, Enum
        => [.. Enum.GetNames<T>().Select(name => char.ToLowerInvariant(name[0]) + name[1..])];

    private void SayFact(ref RowDraws draws, ref GrammarWriter writer)
    {
        int name = Source.Pick(ref draws, _nameSums), quarter = 4 * name / _config.Names, band = quarter == 0 ? 0 : quarter < 3 ? 1 : 2;
        writer.Say(GrammarWords.Name(name), _config.Facts * Source.Probability(_nameSums, name));
        writer.Say(GrammarWords.Lives, 1);
        writer.Say(GrammarWords.In, 1, fact: band);
        writer.Say(_words.Place(_homes[name]), 1, GrammarAsked.FrequentFact + band);
        writer.Say(GrammarWords.End, 1);
    }

    // What follows a subject: perhaps another noun, then what it does.
    private void SaySubject(ref RowDraws draws, ref GrammarWriter writer, int noun, GrammarNumber number)
    {
        if (draws.Uniform() >= _config.Modifiers)
        {
            SayPredicate(ref draws, ref writer, noun, number, 1 - _config.Modifiers, GrammarAsked.Agreement);
            return;
        }

        double likely = _config.Modifiers;
        if (draws.Uniform() < RelativeShare)
        {
            writer.Say(GrammarWords.That, likely * RelativeShare);
            writer.Say(GrammarWords.Verb(draws.Below(GrammarWords.Verbs), isTransitive: true, number), 1.0 / GrammarWords.Verbs, GrammarAsked.Agreement);
        }
        else
        {
            writer.Say(GrammarWords.Preposition(draws.Below(GrammarWords.Prepositions)), likely * (1 - RelativeShare) / GrammarWords.Prepositions);
        }

        (_, GrammarNumber between) = SayNoun(ref draws, ref writer, 1, Attractor);
        SayPredicate(ref draws, ref writer, noun, number, 1, between == number ? GrammarAsked.Agreement : GrammarAsked.AgreementAcross);
    }

    // The verb, and its object where it has one.
    private void SayPredicate(ref RowDraws draws, ref GrammarWriter writer, int noun, GrammarNumber number, double likely, GrammarAsked asked)
    {
        bool isTransitive = draws.Uniform() < TransitiveShare;
        writer.Expected = -1;
        writer.Say(GrammarWords.Verb(draws.Below(GrammarWords.Verbs), isTransitive, number), likely * (isTransitive ? TransitiveShare : 1 - TransitiveShare) / GrammarWords.Verbs, asked);
        if (!isTransitive)
        {
            return;
        }

        if (draws.Uniform() < _config.Reflexives)
        {
            writer.Say(GrammarWords.Reflexive(noun, number), _config.Reflexives, GrammarAsked.Reflexive, referent: noun);
        }
        else
        {
            SayNoun(ref draws, ref writer, 1 - _config.Reflexives, Object);
        }
    }

    private static (int Noun, GrammarNumber Number) SayNoun(ref RowDraws draws, ref GrammarWriter writer, double likely, int role)
    {
        (int determiner, GrammarNumber? asked) = GrammarWords.Determiner(draws.Below(GrammarWords.Determiners));
        writer.Say(determiner, likely / GrammarWords.Determiners);
        likely = 1 - AdjectiveShare;
        if (draws.Uniform() < AdjectiveShare)
        {
            writer.Say(GrammarWords.Adjective(draws.Below(GrammarWords.Adjectives)), AdjectiveShare / GrammarWords.Adjectives);
            likely = 1;
        }

        int noun = draws.Below(GrammarWords.Nouns.Count);
        GrammarNumber number = asked ?? (GrammarNumber)draws.Below(2);
        if (role == Subject)
        {
            writer.Expected = (int)number;
        }

        writer.Say(GrammarWords.Noun(noun, number), likely / GrammarWords.Nouns.Count / (asked is null ? 2 : 1), role: role);
        return (noun, number);
    }
}
