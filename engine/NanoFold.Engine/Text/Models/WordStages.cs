namespace NanoFold.Engine.Text;

/// <summary>WordLevel: a piece is a token, or unknown.</summary>
internal sealed class WordLevelStage(Vocabulary vocabulary, int unknown) : Stage
{
    /// <inheritdoc/>
    public override void Run(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        int id = vocabulary.IdOf(piece);
        state.Ids.Add(id >= 0 ? id : unknown);
    }
}

/// <summary>
/// WordPiece: from left to right the longest token that fits; all but the first of a piece with a prefix. A piece of which a part is no token, or that has too many
/// characters, is unknown as a whole. Source: Wu et al. 2016; Devlin et al. 2018.
/// </summary>
internal sealed class WordPieceStage(Vocabulary vocabulary, int unknown, string prefix, int mostCharacters) : Stage
{
    private readonly byte[] _prefix = System.Text.Encoding.UTF8.GetBytes(prefix);

    /// <inheritdoc/>
    public override void Run(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        int before = state.Ids.Count;
        if (Count(piece) > mostCharacters)
        {
            state.Ids.Add(unknown);
            return;
        }

        ByteBuffer buffer = state.Buffer(Slot);
        for (int at = 0; at < piece.Length;)
        {
            int id = -1;
            int end = piece.Length;
            for (; end > at; end = CodePoints.Before(piece, end))
            {
                buffer.Clear();
                buffer.Add(at > 0 ? _prefix : []);
                buffer.Add(piece[at..end]);
                id = vocabulary.IdOf(buffer.Span);
                if (id >= 0)
                {
                    break;
                }
            }

            if (id < 0)
            {
                state.Ids.RemoveRange(before, state.Ids.Count - before);
                state.Ids.Add(unknown);
                return;
            }

            state.Ids.Add(id);
            at = end;
        }
    }

    private int Count(ReadOnlySpan<byte> piece)
    {
        int count = 0;
        for (int at = 0; at < piece.Length && count <= mostCharacters; count++)
        {
            CodePoints.Read(piece, at, out int length);
            at += length;
        }

        return count;
    }
}
