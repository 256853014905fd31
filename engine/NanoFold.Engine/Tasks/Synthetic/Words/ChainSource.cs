namespace NanoFold.Engine.Tasks;

/// <summary>A chain of words as symbols.</summary>
internal abstract class ChainSource : Source
{
    /// <summary>How a symbol reads.</summary>
    public abstract string Symbol(int symbol);

    /// <summary>Whether a word begins after it.</summary>
    public abstract bool IsBeforeWord(int symbol);

    /// <summary>The letter that a symbol begins with.</summary>
    public char First(int symbol) => Symbol(symbol)[0];

    /// <summary>A word that may follow one; any where there is none before.</summary>
    protected static int Next(ref RowDraws draws, int before)
    {
        if (before < 0)
        {
            return draws.Below(WordList.Words.Count);
        }

        (int first, int count) = WordList.BeginningWith(WordList.Words[before][^1]);
        return first + draws.Below(count);
    }
}

/// <summary>Words as symbols.</summary>
internal sealed class WholeWordChain : ChainSource
{
    public override int Symbols => WordList.Words.Count;

    public override string Symbol(int symbol) => WordList.Words[symbol];

    public override bool IsBeforeWord(int symbol) => true;

    public override void Draw(ref RowDraws draws, Span<int> symbols)
    {
        int word = -1;
        foreach (ref int symbol in symbols)
        {
            symbol = word = Next(ref draws, word);
        }
    }

    public override double Nats(ReadOnlySpan<int> symbols)
    {
        double nats = 0;
        for (int t = 1; t < symbols.Length; t++)
        {
            nats += Math.Log(WordList.BeginningWith(WordList.Words[symbols[t - 1]][^1]).Count);
        }

        return nats;
    }
}

/// <summary>Letters and spaces as symbols; a row begins with a word and may end within one.</summary>
internal sealed class LetterChain : ChainSource
{
    private const int Space = 26;

    private static readonly string[] s_symbols = [.. Enumerable.Range('a', Space).Select(letter => ((char)letter).ToString()), " "];

    public override int Symbols => s_symbols.Length;

    public override string Symbol(int symbol) => s_symbols[symbol];

    public override bool IsBeforeWord(int symbol) => symbol == Space;

    public override void Draw(ref RowDraws draws, Span<int> symbols)
    {
        int word = -1;
        for (int t = 0; t < symbols.Length;)
        {
            word = Next(ref draws, word);
            for (int letter = 0; letter <= WordList.Words[word].Length && t < symbols.Length; letter++)
            {
                symbols[t++] = Letter(word, letter);
            }
        }
    }

    // Words that begin alike lie beside each other; each letter leaves those that go on with it. Which letter comes first is known but in the first word, where it is given.
    public override double Nats(ReadOnlySpan<int> symbols)
    {
        double nats = 0;
        for (int t = 0; t < symbols.Length;)
        {
            (int first, int count) = WordList.BeginningWith(First(symbols[t]));
            t++;
            for (int letter = 1; t < symbols.Length && symbols[t - 1] != Space; letter++, t++)
            {
                int alike = 0, from = -1;
                for (int word = first; word < first + count; word++)
                {
                    if (Letter(word, letter) == symbols[t])
                    {
                        from = from < 0 ? word : from;
                        alike++;
                    }
                }

                nats += Math.Log((double)count / alike);
                (first, count) = (from, alike);
            }
        }

        return nats;
    }

    private static int Letter(int word, int letter) => letter == WordList.Words[word].Length ? Space : WordList.Words[word][letter] - 'a';
}
