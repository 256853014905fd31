namespace NanoFold.Engine.Text;

/// <summary>
/// The distinct pieces of a corpus as token sequences, with how often each pair of neighbors occurs and in which
/// pieces. Counts only ever change through <see cref="Merge"/>.
/// </summary>
internal sealed class BpeWords
{
    private readonly int[] _tokens;
    private readonly int[] _starts;
    private readonly int[] _lengths;
    private readonly long[] _counts;
    private readonly Dictionary<ulong, int> _slots = [];
    private readonly List<long> _pairCounts = [];
    private readonly List<List<int>> _pairWords = [];
    private readonly List<int> _grown = [];
    private readonly List<ulong> _pairs = [];
    private readonly PriorityQueue<int, (long Count, ulong Pair)> _queue = new(Comparer<(long Count, ulong Pair)>.Create(
        (x, y) => x.Count != y.Count ? y.Count.CompareTo(x.Count) : x.Pair.CompareTo(y.Pair)));

    public BpeWords(Dictionary<byte[], long> words)
    {
        _tokens = new int[words.Keys.Sum(word => word.Length)];
        _starts = new int[words.Count];
        _lengths = new int[words.Count];
        _counts = new long[words.Count];
        int index = 0;
        int start = 0;
        foreach ((byte[] word, long count) in words)
        {
            _starts[index] = start;
            _lengths[index] = word.Length;
            _counts[index] = count;
            for (int i = 0; i < word.Length; i++)
            {
                _tokens[start + i] = word[i];
                if (i > 0)
                {
                    Change(word[i - 1], word[i], count, index);
                }
            }

            start += word.Length;
            index++;
        }

        OfferGrown();
    }

    /// <summary>Takes the most frequent pair out of the queue, if it occurs at least <paramref name="least"/> times.</summary>
    public bool TryTakeBest(long least, out int left, out int right)
    {
        while (_queue.TryDequeue(out int slot, out (long Count, ulong Pair) priority))
        {
            long count = _pairCounts[slot];
            if (count != priority.Count)
            {
                // Counts that shrank are found out here; those that grew were offered again when they did.
                if (count >= least && count < priority.Count)
                {
                    _queue.Enqueue(slot, (count, priority.Pair));
                }

                continue;
            }

            if (count < least)
            {
                break;
            }

            left = (int)(priority.Pair >> 32);
            right = (int)(uint)priority.Pair;
            return true;
        }

        left = right = -1;
        return false;
    }

    /// <summary>Makes <paramref name="left"/> next to <paramref name="right"/> one token everywhere.</summary>
    public void Merge(int left, int right, int merged)
    {
        int slot = _slots[Pair(left, right)];
        foreach (int word in _pairWords[slot])
        {
            MergeIn(word, left, right, merged);
        }

        _pairCounts[slot] = 0;
        _pairWords[slot] = [];
        OfferGrown();
    }

    private void MergeIn(int word, int left, int right, int merged)
    {
        Span<int> tokens = _tokens.AsSpan(_starts[word], _lengths[word]);
        long count = _counts[word];
        int kept = 0;
        for (int i = 0; i < tokens.Length; i++)
        {
            if (tokens[i] != left || i + 1 >= tokens.Length || tokens[i + 1] != right)
            {
                tokens[kept++] = tokens[i];
                continue;
            }

            if (kept > 0)
            {
                Change(tokens[kept - 1], left, -count, word);
                Change(tokens[kept - 1], merged, count, word);
            }

            i++;
            if (i + 1 < tokens.Length)
            {
                Change(right, tokens[i + 1], -count, word);
                Change(merged, tokens[i + 1], count, word);
            }

            tokens[kept++] = merged;
        }

        _lengths[word] = kept;
    }

    private void Change(int left, int right, long difference, int word)
    {
        ulong pair = Pair(left, right);
        if (!_slots.TryGetValue(pair, out int slot))
        {
            slot = _pairs.Count;
            _slots.Add(pair, slot);
            _pairs.Add(pair);
            _pairCounts.Add(0);
            _pairWords.Add([]);
            _grown.Add(slot);
        }

        _pairCounts[slot] += difference;
        List<int> words = _pairWords[slot];
        if (difference > 0 && (words.Count == 0 || words[^1] != word))
        {
            words.Add(word);
        }
    }

    // A pair grows only in the merge that first makes one of its tokens, so new pairs are all that need offering.
    private void OfferGrown()
    {
        foreach (int slot in _grown)
        {
            if (_pairCounts[slot] > 0)
            {
                _queue.Enqueue(slot, (_pairCounts[slot], _pairs[slot]));
            }
        }

        _grown.Clear();
    }

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;
}
