using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>Unigram of a <c>tokenizer.json</c>: the most likely tokens of a piece; neighboring unknown characters are one token, or their bytes where all bytes are tokens.</summary>
internal sealed class UnigramStage : Stage
{
    private const double UnknownPenalty = 10;
    private readonly ByteTrie _trie = new();
    private readonly double[] _scores;
    private readonly int _unknown;
    private readonly int[]? _bytes;

    /// <param name="pieces">Text and log probability of each id.</param>
    /// <param name="unknown">The id of the unknown token; −1 where there is none.</param>
    /// <param name="byteFallback">Unknown text becomes its bytes, where all are tokens.</param>
    public UnigramStage(IReadOnlyList<(string Text, double Score)> pieces, int unknown, bool byteFallback)
    {
        _scores = [.. pieces.Select(piece => piece.Score)];
        _unknown = unknown;
        for (int id = 0; id < pieces.Count; id++)
        {
            _trie.Add(Encoding.UTF8.GetBytes(pieces[id].Text), id);
        }

        if (byteFallback)
        {
            int[] bytes = new Vocabulary(pieces.Select((piece, id) => KeyValuePair.Create(piece.Text, id))).ByteTokens();
            _bytes = bytes.Contains(-1) ? null : bytes;
        }
    }

    /// <inheritdoc/>
    public override void Run(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        UnigramLattice lattice = state.Lattice ??= new UnigramLattice(_trie, (token, _) => _scores[token], _scores.Min() - UnknownPenalty, single: false);
        double sum = 0;
        List<(int Token, int Start)> path = state.Path;
        lattice.Cut(piece, ref sum, path);
        for (int i = path.Count - 1; i >= 0; i--)
        {
            (int token, int start) = path[i];
            if (token >= 0 && token != _unknown)
            {
                state.Ids.Add(token);
                continue;
            }

            while (i > 0 && (path[i - 1].Token < 0 || path[i - 1].Token == _unknown))
            {
                i--;
            }

            int end = i > 0 ? path[i - 1].Start : piece.Length;
            if (_bytes is not null)
            {
                foreach (byte value in piece[start..end])
                {
                    state.Ids.Add(_bytes[value]);
                }
            }
            else if (_unknown >= 0)
            {
                state.Ids.Add(_unknown);
            }
        }
    }
}
