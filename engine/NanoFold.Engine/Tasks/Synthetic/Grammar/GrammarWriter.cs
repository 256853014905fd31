namespace NanoFold.Engine.Tasks;

/// <summary>What is asked for at a place; a detailed evaluation tells them apart by their number.</summary>
internal enum GrammarAsked
{
    /// <summary>Anything that may follow.</summary>
    Any,

    /// <summary>A verb, with no noun of the other number between its subject and it.</summary>
    Agreement,

    /// <summary>A verb, with a noun of the other number between its subject and it.</summary>
    AgreementAcross,

    /// <summary>What refers to the subject of the clause.</summary>
    Reflexive,

    /// <summary>What refers to the subject of the sentence before.</summary>
    Pronoun,

    /// <summary>Where somebody of a name that comes often lives: the first quarter of names.</summary>
    FrequentFact,

    /// <summary>The same of the two quarters between.</summary>
    MiddlingFact,

    /// <summary>The same of the last quarter.</summary>
    RareFact,
}

/// <summary>What places are labelled with.</summary>
internal static class GrammarLabels
{
    public const string PartOfSpeech = "partOfSpeech", Number = "number", Gender = "gender", Role = "role", Agreement = "agreement", Referent = "referent", Fact = "fact";
}

/// <summary>Writes words into a row, with their labels and with how unlikely each was.</summary>
internal ref struct GrammarWriter
{
    /// <summary>The field of −ln p of what is asked for.</summary>
    public const string Nats = "nats";

    private readonly GrammarWords _words;
    private readonly Span<float> _nats;
    private readonly Span<int> _parts, _numbers, _genders, _roles, _agreements, _referents, _facts;
    private SequenceWriter _writer;

    public GrammarWriter(in BatchRow row, GrammarWords words)
    {
        _words = words;
        _writer = new SequenceWriter(row);
        _nats = row.Reals(Nats);
        _parts = row.Integers("label." + GrammarLabels.PartOfSpeech);
        _numbers = row.Integers("label." + GrammarLabels.Number);
        _genders = row.Integers("label." + GrammarLabels.Gender);
        _roles = row.Integers("label." + GrammarLabels.Role);
        _agreements = row.Integers("label." + GrammarLabels.Agreement);
        _referents = row.Integers("label." + GrammarLabels.Referent);
        _facts = row.Integers("label." + GrammarLabels.Fact);
    }

    /// <summary>Whether the row, and the label after it, are full.</summary>
    public readonly bool IsFull => _writer.Written >= _writer.Length;

    public readonly int Targets => _writer.Targets;

    /// <summary>The number of the verb that is to come; −1 where none is.</summary>
    public int Expected { get; set; } = -1;

    /// <summary>Writes a word; what does not fit is left out.</summary>
    /// <param name="token">Which.</param>
    /// <param name="probability">Of this word after those before.</param>
    /// <param name="asked">What the place before it is asked for.</param>
    /// <param name="role">Of a noun: subject, attractor or object.</param>
    /// <param name="referent">The noun that is meant.</param>
    /// <param name="fact">Before a place: how frequent the name is.</param>
    public void Say(int token, double probability, GrammarAsked asked = GrammarAsked.Any, int role = -1, int referent = -1, int fact = -1)
    {
        int at = _writer.Written;
        if (IsFull)
        {
            return;
        }

        _writer.Write(token, isLabel: true, (int)asked);
        if (at > 0)
        {
            Set(_nats, at - 1, (float)-Math.Log(probability));
        }

        if (at < _writer.Length - 1)
        {
            Set(_parts, at, (int)_words.Part(token));
            Set(_numbers, at, _words.NumberOf(token));
            Set(_genders, at, _words.GenderOf(token));
            Set(_roles, at, role);
            Set(_agreements, at, Expected);
            Set(_referents, at, referent);
            Set(_facts, at, fact);
        }
    }

    // Empty where nobody wants it.
    private static void Set<T>(Span<T> field, int at, T value)
    {
        if (!field.IsEmpty)
        {
            field[at] = value;
        }
    }
}
