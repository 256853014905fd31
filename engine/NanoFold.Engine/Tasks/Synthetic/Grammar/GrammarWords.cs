namespace NanoFold.Engine.Tasks;

/// <summary>Singular or plural; in labels by its number.</summary>
internal enum GrammarNumber
{
    Singular,
    Plural,
}

/// <summary>Of nouns, and of what refers to them.</summary>
internal enum GrammarGender
{
    Masculine,
    Feminine,
    Neuter,
}

/// <summary>What a word is.</summary>
internal enum GrammarPart
{
    End,
    Determiner,
    Adjective,
    Noun,
    Verb,
    Preposition,
    Relative,
    Reflexive,
    Pronoun,
    Name,
    Place,
}

/// <summary>The words of the language, and which of them are forms of the same. Tokens are words; a noun or verb has one for each number.</summary>
/// <param name="names">How many names there are.</param>
/// <param name="places">How many places.</param>
internal sealed class GrammarWords(int names, int places)
{
    /// <summary>The end of a sentence, and the fixed words of facts.</summary>
    public const int End = 0, Lives = 1, In = 2, That = 3;

    private const int FirstDeterminer = 4;

    private static readonly (string Word, GrammarNumber? Number)[] s_determiners =
        [("the", null), ("a", GrammarNumber.Singular), ("this", GrammarNumber.Singular), ("many", GrammarNumber.Plural), ("these", GrammarNumber.Plural)];

    private static readonly string[] s_adjectives = ["old", "small", "red", "tall", "quiet", "clever"];
    private static readonly string[] s_prepositions = ["near", "behind", "beside", "under"];
    private static readonly string[] s_reflexives = ["himself", "herself", "itself", "themselves"];
    private static readonly string[] s_pronouns = ["he", "she", "it", "they"];

    // As many of each gender.
    private static readonly string[] s_nouns = ["king", "boy", "uncle", "father", "queen", "girl", "aunt", "mother", "cat", "horse", "ship", "lamp"];
    private static readonly string[] s_intransitives = ["sleep", "wait", "fall", "sing", "run", "stay"];
    private static readonly string[] s_transitives = ["see", "like", "find", "help", "hear", "follow"];

    private static readonly int s_firstAdjective = FirstDeterminer + s_determiners.Length, s_firstPreposition = s_firstAdjective + s_adjectives.Length;
    private static readonly int s_firstReflexive = s_firstPreposition + s_prepositions.Length, s_firstPronoun = s_firstReflexive + s_reflexives.Length;
    private static readonly int s_firstNoun = s_firstPronoun + s_pronouns.Length, s_firstIntransitive = s_firstNoun + (2 * s_nouns.Length);
    private static readonly int s_firstTransitive = s_firstIntransitive + (2 * s_intransitives.Length);

    /// <summary>The first name; all words of sentences come before.</summary>
    public static int FirstName { get; } = s_firstTransitive + (2 * s_transitives.Length);

    /// <summary>How many there are of each.</summary>
    public static int Determiners => s_determiners.Length;

    /// <inheritdoc cref="Determiners"/>
    public static int Adjectives => s_adjectives.Length;

    /// <inheritdoc cref="Determiners"/>
    public static int Prepositions => s_prepositions.Length;

    /// <summary>Nouns, each of which has two forms.</summary>
    public static IReadOnlyList<string> Nouns => s_nouns;

    /// <summary>Verbs without an object, and as many with one; each has two forms.</summary>
    public static int Verbs => s_transitives.Length;

    /// <summary>V.</summary>
    public int Count => FirstName + names + places;

    /// <summary>A determiner, and the number that it asks of its noun, if any.</summary>
    public static (int Token, GrammarNumber? Number) Determiner(int index) => (FirstDeterminer + index, s_determiners[index].Number);

    public static int Adjective(int index) => s_firstAdjective + index;

    public static int Preposition(int index) => s_firstPreposition + index;

    public static int Noun(int index, GrammarNumber number) => s_firstNoun + (2 * index) + (int)number;

    public static int Verb(int index, bool isTransitive, GrammarNumber number) => (isTransitive ? s_firstTransitive : s_firstIntransitive) + (2 * index) + (int)number;

    /// <summary>What refers to a noun within its clause.</summary>
    public static int Reflexive(int noun, GrammarNumber number) => s_firstReflexive + Reference(noun, number);

    /// <summary>What refers to a noun from the next sentence.</summary>
    public static int Pronoun(int noun, GrammarNumber number) => s_firstPronoun + Reference(noun, number);

    public static GrammarGender Gender(int noun) => (GrammarGender)(noun * 3 / s_nouns.Length);

    public static int Name(int index) => FirstName + index;

    public int Place(int index) => FirstName + names + index;

    /// <summary>What a word is.</summary>
    public GrammarPart Part(int token) => token switch
    {
        End => GrammarPart.End,
        Lives => GrammarPart.Verb,
        In => GrammarPart.Preposition,
        That => GrammarPart.Relative,
        _ when token < s_firstAdjective => GrammarPart.Determiner,
        _ when token < s_firstPreposition => GrammarPart.Adjective,
        _ when token < s_firstReflexive => GrammarPart.Preposition,
        _ when token < s_firstPronoun => GrammarPart.Reflexive,
        _ when token < s_firstNoun => GrammarPart.Pronoun,
        _ when token < s_firstIntransitive => GrammarPart.Noun,
        _ when token < FirstName => GrammarPart.Verb,
        _ when token < FirstName + names => GrammarPart.Name,
        _ => GrammarPart.Place,
    };

    /// <summary>The words that would be as good were it not for what stands before: of a verb both numbers, of what refers to a noun all that do, of places all. Else the word alone.</summary>
    public (int First, int Count) Forms(int token) => Part(token) switch
    {
        GrammarPart.Verb when token >= s_firstIntransitive => (token - ((token - s_firstIntransitive) % 2), 2),
        GrammarPart.Reflexive => (s_firstReflexive, s_reflexives.Length),
        GrammarPart.Pronoun => (s_firstPronoun, s_pronouns.Length),
        GrammarPart.Place => (FirstName + names, places),
        _ => (token, 1),
    };

    /// <summary>The number that a word shows; −1 of those that show none.</summary>
    public int NumberOf(int token) => Part(token) switch
    {
        GrammarPart.Determiner => s_determiners[token - FirstDeterminer].Number is { } number ? (int)number : -1,
        GrammarPart.Reflexive => (int)(token == s_firstReflexive + 3 ? GrammarNumber.Plural : GrammarNumber.Singular),
        GrammarPart.Pronoun => (int)(token == s_firstPronoun + 3 ? GrammarNumber.Plural : GrammarNumber.Singular),
        GrammarPart.Noun => (token - s_firstNoun) % 2,
        GrammarPart.Verb when token >= s_firstIntransitive => (token - s_firstIntransitive) % 2,
        _ => -1,
    };

    /// <summary>The gender of a noun, and of what refers to one in the singular; −1 of others.</summary>
    public int GenderOf(int token) => Part(token) switch
    {
        GrammarPart.Noun => (int)Gender((token - s_firstNoun) / 2),
        GrammarPart.Reflexive or GrammarPart.Pronoun when NumberOf(token) == (int)GrammarNumber.Singular => (token - s_firstReflexive) % s_reflexives.Length,
        _ => -1,
    };

    /// <summary>How a word is written.</summary>
    public string Text(int token) => token switch
    {
        End => ".",
        Lives => "lives",
        In => "in",
        That => "that",
        _ when token >= FirstName => CoinedNames.Of(token - FirstName),
        _ when token >= s_firstTransitive => Inflected(s_transitives, token - s_firstTransitive, GrammarNumber.Singular),
        _ when token >= s_firstIntransitive => Inflected(s_intransitives, token - s_firstIntransitive, GrammarNumber.Singular),
        _ when token >= s_firstNoun => Inflected(s_nouns, token - s_firstNoun, GrammarNumber.Plural),
        _ when token >= s_firstPronoun => s_pronouns[token - s_firstPronoun],
        _ when token >= s_firstReflexive => s_reflexives[token - s_firstReflexive],
        _ when token >= s_firstPreposition => s_prepositions[token - s_firstPreposition],
        _ when token >= s_firstAdjective => s_adjectives[token - s_firstAdjective],
        _ => s_determiners[token - FirstDeterminer].Word,
    };

    private static int Reference(int noun, GrammarNumber number) => number == GrammarNumber.Plural ? 3 : (int)Gender(noun);

    private static string Inflected(string[] words, int form, GrammarNumber withS) => words[form / 2] + (form % 2 == (int)withS ? "s" : "");
}
