namespace NanoFold.Engine.Text;

/// <summary>A step on the way from a text to ids: cuts it into pieces or changes it, and hands each piece to the next step; the model is the last.</summary>
internal abstract class Stage
{
    /// <summary>What comes after it; set once, where the tokenizer is put together. The model has none.</summary>
    public Stage Next { get; set; } = null!;

    /// <summary>Its place, which names its buffers.</summary>
    public int Slot { get; set; }

    /// <summary>Takes a piece.</summary>
    /// <param name="piece">Not empty.</param>
    /// <param name="first">Whether it begins where the text does.</param>
    /// <param name="state">Of the encoding.</param>
    public abstract void Run(ReadOnlySpan<byte> piece, bool first, EncodeState state);

    /// <summary>
    /// Whether a text may be cut between an ASCII letter and a space before this stage without a change of what comes of it. <paramref name="always"/>: the stage itself cuts there.
    /// </summary>
    public virtual bool MayCutAfterLetters(out bool always)
    {
        always = false;
        return false;
    }
}

/// <summary>What becomes of the parts that a pattern finds.</summary>
internal enum SplitBehavior
{
    /// <summary>They vanish.</summary>
    Removed,

    /// <summary>Each is a piece.</summary>
    Isolated,

    /// <summary>Each belongs to what stands before it.</summary>
    MergedWithPrevious,

    /// <summary>Each belongs to what stands after it.</summary>
    MergedWithNext,

    /// <summary>Neighbors are one piece.</summary>
    Contiguous,
}

/// <summary>Cuts a text where something is found.</summary>
internal abstract class SplitStage(SplitBehavior behavior, bool invert) : Stage
{
    /// <summary>What becomes of what is found.</summary>
    protected SplitBehavior Behavior => behavior;

    /// <inheritdoc/>
    public override void Run(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        Reset(piece, state);
        var pieces = new Pieces(this, behavior, invert, piece, first, state);
        int done = 0;
        int lastEnd = -1;
        for (int from = 0; from < piece.Length && Find(piece, from, state, out int start, out int end);)
        {
            from = end;
            if (end == start)
            {
                CodePoints.Read(piece, start, out int length);
                from = start + length;
                if (start == lastEnd)
                {
                    continue;
                }
            }

            if (start > done)
            {
                pieces.Add(done, start, found: false);
            }

            pieces.Add(start, end, found: true);
            done = lastEnd = end;
        }

        if (done < piece.Length)
        {
            pieces.Add(done, piece.Length, found: false);
        }

        pieces.End();
    }

    /// <summary>Prepares for another text.</summary>
    protected virtual void Reset(ReadOnlySpan<byte> text, EncodeState state)
    {
    }

    /// <summary>The next part from a place on.</summary>
    protected abstract bool Find(ReadOnlySpan<byte> text, int from, EncodeState state, out int start, out int end);

    // Puts parts together to pieces; `_start` to `_end` is the piece that may still grow.
    private ref struct Pieces(SplitStage stage, SplitBehavior behavior, bool invert, ReadOnlySpan<byte> text, bool first, EncodeState state)
    {
        private readonly ReadOnlySpan<byte> _text = text;
        private int _start;
        private int _end;
        private bool _foundBefore;
        private bool _open;

        public void Add(int start, int end, bool found)
        {
            found ^= invert;
            switch (behavior)
            {
                case SplitBehavior.Isolated:
                    Give(start, end);
                    return;
                case SplitBehavior.Removed:
                    if (!found)
                    {
                        Give(start, end);
                    }

                    return;
                case SplitBehavior.MergedWithPrevious:
                    Join(start, end, _open && found && !_foundBefore);
                    break;
                case SplitBehavior.MergedWithNext:
                    Join(start, end, _open && _foundBefore && !found);
                    break;
                default:
                    Join(start, end, _open && found == _foundBefore);
                    break;
            }

            _foundBefore = found;
        }

        public void End()
        {
            if (_open)
            {
                Give(_start, _end);
            }
        }

        private void Join(int start, int end, bool grows)
        {
            if (!grows)
            {
                End();
                _start = start;
                _open = true;
            }

            _end = end;
        }

        private readonly void Give(int start, int end)
        {
            if (end > start)
            {
                stage.Next.Run(_text[start..end], first && start == 0, state);
            }
        }
    }
}
