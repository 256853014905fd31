namespace NanoFold.Engine.Tasks;

/// <summary>Says sentences by the rules of the language: each word with how likely it was after those before, and with what it is labelled.</summary>
internal sealed class GrammarSentences
{
    private const double AdjectiveShare = 0.3, RelativeShare = 0.25, TransitiveShare = 0.6;

    // Roles of nouns, as labels name them.
    private const int Subject = 0, Attractor = 1, Object = 2;

    private readonly GrammarConfig _config;
    private readonly GrammarWords _words;
    private readonly double[] _nameSums;
    private readonly int[] _homes;

    public GrammarSentences(GrammarConfig config, GrammarWords words)
    {
        (_config, _words) = (config, words);
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
    }

    /// <summary>Fills a row with sentences; allocates nothing.</summary>
    /// <returns>How many places have a target.</returns>
    public int Fill(ref RowDraws draws, in BatchRow row)
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
