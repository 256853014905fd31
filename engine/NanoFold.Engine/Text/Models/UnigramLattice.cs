namespace NanoFold.Engine.Text;

/// <summary>
/// The most likely way to cut a text into tokens, by dynamic programming over the places between its characters. A character that is no token is unknown, with a
/// score ten below the least. Source: Kudo 2018.
/// </summary>
/// <param name="tokens">Tokens by their text.</param>
/// <param name="scores">Log probability of each, given its length in bytes.</param>
/// <param name="unknownScore">Of a character that is no token.</param>
/// <param name="single">Sums are kept in 32 bits, as SentencePiece keeps them.</param>
internal sealed class UnigramLattice(ByteTrie tokens, Func<int, int, double> scores, double unknownScore, bool single)
{
    /// <summary>In place of a token: unknown text.</summary>
    public const int Unknown = -1;

    private double[] _sums = [];
    private int[] _tokens = [];
    private int[] _starts = [];

    /// <summary>Gives the tokens of a text from its end to its start.</summary>
    /// <param name="text">The text.</param>
    /// <param name="sum">The score of what stands before it, and afterwards with its own.</param>
    /// <param name="path">Gets tokens and where they begin; from the last one.</param>
    public void Cut(ReadOnlySpan<byte> text, ref double sum, List<(int Token, int Start)> path)
    {
        if (_sums.Length <= text.Length)
        {
            _sums = new double[text.Length + 1];
            _tokens = new int[text.Length + 1];
            _starts = new int[text.Length + 1];
        }

        Array.Fill(_starts, -1, 0, text.Length + 1);
        _sums[0] = sum;
        for (int at = 0, length; at < text.Length; at += length)
        {
            CodePoints.Read(text, at, out length);
            bool known = false;
            int node = ByteTrie.Root;
            for (int end = at; end < text.Length && (node = tokens.Child(node, text[end])) >= 0;)
            {
                end++;
                if (tokens.ValueAt(node) is >= 0 and var token)
                {
                    Offer(at, end, token, _sums[at] + scores(token, end - at));
                    known |= end - at == length;
                }
            }

            if (!known)
            {
                Offer(at, at + length, Unknown, _sums[at] + unknownScore);
            }
        }

        path.Clear();
        for (int end = text.Length; end > 0; end = _starts[end])
        {
            path.Add((_tokens[end], _starts[end]));
        }

        sum = _sums[text.Length];
    }

    private void Offer(int start, int end, int token, double sum)
    {
        sum = single ? (float)sum : sum;
        if (_starts[end] < 0 || sum > _sums[end])
        {
            (_sums[end], _tokens[end], _starts[end]) = (sum, token, start);
        }
    }
}
