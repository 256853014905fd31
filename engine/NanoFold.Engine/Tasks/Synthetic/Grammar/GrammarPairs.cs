namespace NanoFold.Engine.Tasks;

/// <summary>
/// Sentences of the language beside the same with one wrong form. Each form is as often the wrong one in place of another as the other way round, so that nothing that a word is by itself, such as
/// how frequent it is, tells right from wrong.
/// </summary>
internal static class GrammarPairs
{
    private const int MostRows = 8192;

    /// <summary>So many pairs of each construction, or as many as there are in some thousand rows; the same each time.</summary>
    public static IReadOnlyList<MinimalPair> Of(LearningTask task, GrammarWords words, int time, int each)
    {
        BalancedPairs[] found = [.. Enum.GetNames<GrammarAsked>().Select(name => new BalancedPairs(char.ToLowerInvariant(name[0]) + name[1..]))];
        var row = new BatchRows(task.Fields(time), 1);
        for (int number = 0; number < MostRows && found.Skip(1).Any(pairs => pairs.Count + 2 <= each); number++)
        {
            row.Fill(task, TaskSplit.Probe, number, MostRows, MostRows);
            int[] tokens = row.Integers(BatchField.Tokens).ToArray();
            ReadOnlySpan<int> groups = row.Integers(BatchField.Groups);
            for (int t = 0; t + 1 < time; t++)
            {
                if (groups[t] > 0 && found[groups[t]].Count + 2 <= each && Sentence(tokens, t + 1, isTwo: groups[t] == (int)GrammarAsked.Pronoun) is { Length: > 0 } sentence)
                {
                    found[groups[t]].Add(words, tokens[sentence.Begin..sentence.End], t + 1 - sentence.Begin);
                }
            }
        }

        return [.. found.SelectMany(pairs => pairs.All)];
    }

    // The sentence of a place with the end of the one before, and where a pronoun refers to that one all of it; empty where the row cuts it off.
    private static (int Begin, int End, int Length) Sentence(int[] tokens, int at, bool isTwo)
    {
        int begin = Array.LastIndexOf(tokens, GrammarWords.End, at - 1), end = Array.IndexOf(tokens, GrammarWords.End, at);
        begin = isTwo && begin > 0 ? Array.LastIndexOf(tokens, GrammarWords.End, begin - 1) : begin;
        return begin < 0 || end < 0 ? default : (begin, end + 1, end + 1 - begin);
    }

    /// <summary>Pairs of one construction: one that puts b for a waits until one puts a for b.</summary>
    private sealed class BalancedPairs(string kind)
    {
        private readonly List<MinimalPair> _pairs = [];
        private readonly List<MinimalPair> _waiting = [];
        private readonly List<int> _seen = [];

        public IReadOnlyList<MinimalPair> All => _pairs;

        public int Count => _pairs.Count;

        public void Add(GrammarWords words, int[] right, int at)
        {
            int token = right[at];
            (int first, int count) = words.Forms(token);
            if (!_seen.Contains(token))
            {
                _seen.Add(token);
            }

            MinimalPair? other = _waiting.Find(pair => pair.Wrong[pair.At] == token);
            int[] forms = [.. _seen.Where(form => form != token && form >= first && form < first + count)];
            if (other is not null)
            {
                _waiting.Remove(other);
                _pairs.Add(other);
                _pairs.Add(Pair(right, at, other.Right[other.At]));
            }
            else if (forms.Length > 0)
            {
                _waiting.Add(Pair(right, at, forms[_waiting.Count % forms.Length]));
            }
        }

        private MinimalPair Pair(int[] right, int at, int token)
        {
            int[] wrong = [.. right];
            wrong[at] = token;
            return new MinimalPair(kind, right, wrong, at);
        }
    }
}
