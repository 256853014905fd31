namespace NanoFold.Engine.Tasks;

/// <summary>Sentences of the language beside the same with one wrong form.</summary>
internal static class GrammarPairs
{
    private const int MostRows = 4096;

    /// <summary>So many pairs of each construction, or as many as there are in some thousand rows; the same each time.</summary>
    public static IReadOnlyList<MinimalPair> Of(LearningTask task, GrammarWords words, int time, int each)
    {
        var found = new List<MinimalPair>[Enum.GetValues<GrammarAsked>().Length];
        for (int i = 0; i < found.Length; i++)
        {
            found[i] = [];
        }

        var row = new BatchRows(task.Fields(time), 1);
        for (int number = 0; number < MostRows && found.Skip(1).Any(pairs => pairs.Count < each); number++)
        {
            row.Fill(task, TaskSplit.Probe, number, MostRows, MostRows);
            int[] tokens = row.Integers(BatchField.Tokens).ToArray();
            ReadOnlySpan<int> groups = row.Integers(BatchField.Groups);
            for (int t = 0; t + 1 < time; t++)
            {
                if (groups[t] > 0 && found[groups[t]].Count < each && Pair(words, tokens, t + 1, (GrammarAsked)groups[t], found[groups[t]].Count) is { } pair)
                {
                    found[groups[t]].Add(pair);
                }
            }
        }

        return [.. found.SelectMany(pairs => pairs)];
    }

    // The sentence of a place, and where a pronoun refers to the one before that too; null where the row ends within it.
    private static MinimalPair? Pair(GrammarWords words, int[] tokens, int at, GrammarAsked asked, int number)
    {
        int begin = Array.LastIndexOf(tokens, GrammarWords.End, at - 1), end = Array.IndexOf(tokens, GrammarWords.End, at);
        begin = asked == GrammarAsked.Pronoun && begin > 0 ? Array.LastIndexOf(tokens, GrammarWords.End, begin - 1) : begin;
        if (begin < 0 || end < 0)
        {
            return null;
        }

        (int first, int count) = words.Forms(tokens[at]);
        int[] right = tokens[begin..(end + 1)], wrong = [.. right];
        wrong[at - begin] = first + ((tokens[at] - first + 1 + (number % (count - 1))) % count);
        string kind = asked.ToString();
        return new MinimalPair(char.ToLowerInvariant(kind[0]) + kind[1..], right, wrong, at - begin);
    }
}
