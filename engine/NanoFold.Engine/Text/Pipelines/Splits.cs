using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>Cuts where a regular expression matches.</summary>
internal sealed class PatternStage(Pattern pattern, SplitBehavior behavior, bool invert) : SplitStage(behavior, invert)
{
    private readonly bool _plain = behavior == SplitBehavior.Isolated && !invert;

    /// <inheritdoc/>
    public override void Run(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        if (!_plain)
        {
            base.Run(piece, first, state);
            return;
        }

        // The same as in general, for what nearly all tokenizers do: every match is a piece.
        PatternTail tail = state.Tail(Slot);
        tail.Reset(piece.Length);
        int done = 0;
        for (int at = 0; at < piece.Length;)
        {
            int end = pattern.MatchAt(piece, at, tail);
            if (end <= at)
            {
                if (end == at && at > done)
                {
                    Next.Run(piece[done..at], first && done == 0, state);
                    done = at;
                }

                CodePoints.Read(piece, at, out int length);
                at += length;
                continue;
            }

            if (at > done)
            {
                Next.Run(piece[done..at], first && done == 0, state);
            }

            Next.Run(piece[at..end], first && at == 0, state);
            done = at = end;
        }

        if (done < piece.Length)
        {
            Next.Run(piece[done..], first && done == 0, state);
        }
    }

    /// <inheritdoc/>
    public override bool MayCutAfterLetters(out bool always)
    {
        bool may = pattern.MayCutAfterLetters(out always);
        always &= _plain;
        return may && Behavior is SplitBehavior.Isolated or SplitBehavior.Removed or SplitBehavior.Contiguous;
    }

    /// <inheritdoc/>
    protected override void Reset(ReadOnlySpan<byte> text, EncodeState state) => state.Tail(Slot).Reset(text.Length);

    /// <inheritdoc/>
    protected override bool Find(ReadOnlySpan<byte> text, int from, EncodeState state, out int start, out int end) => pattern.Find(text, from, state.Tail(Slot), out start, out end);
}

/// <summary>Cuts where a text stands.</summary>
internal sealed class TextStage(string text, SplitBehavior behavior, bool invert) : SplitStage(behavior, invert)
{
    private readonly byte[] _sought = Encoding.UTF8.GetBytes(text);

    /// <inheritdoc/>
    protected override bool Find(ReadOnlySpan<byte> text, int from, EncodeState state, out int start, out int end)
    {
        int found = _sought.Length == 0 ? -1 : text[from..].IndexOf(_sought);
        start = from + found;
        end = start + _sought.Length;
        return found >= 0;
    }
}

/// <summary>Cuts where the script (as of Unicode 9) changes, as SentencePiece does: Hiragana and Katakana count as Han, and a space belongs to what stands before it.</summary>
internal sealed class ScriptStage : Stage
{
    private const int LongVowel = 0x30FC;
    private static readonly Lazy<CharacterClasses> s_classes = new(() => new CharacterClasses(BuildSets(), "scripts"));

    /// <inheritdoc/>
    public override void Run(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        // What comes before the first character of a script is lost, as it is there.
        int start = -1;
        int last = -1;
        int any = s_classes.Value.Of(' ');
        for (int at = 0, length; at < piece.Length; at += length)
        {
            int script = s_classes.Value.Of(CodePoints.Read(piece, at, out length));
            if (script == any)
            {
                continue;
            }

            if (last != script)
            {
                if (start >= 0)
                {
                    Next.Run(piece[start..at], first && start == 0, state);
                }

                start = at;
            }

            last = script;
        }

        if (start >= 0)
        {
            Next.Run(piece[start..], first && start == 0, state);
        }
    }

    private static List<CodePointSet> BuildSets()
    {
        IReadOnlyDictionary<string, CodePointSet> scripts = UnicodeData.Shared.Scripts;
        CodePointSet han = scripts["Han"].Or(scripts["Hiragana"]).Or(scripts["Katakana"]).Or(CodePointSet.Of(LongVowel));
        CodePointSet[] others = [.. scripts.Where(script => script.Key is not ("Han" or "Hiragana" or "Katakana")).Select(script => script.Value.Without(han).Without(CodePointSet.Of(' ')))];
        return [.. ((CodePointSet[])[han, .. others]).Select(script => script.And(UnicodeData.Shared.UpTo9))];
    }
}

/// <summary>Cuts after every so many characters.</summary>
internal sealed class LengthStage(int characters) : Stage
{
    /// <inheritdoc/>
    public override void Run(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        int start = 0;
        int count = 0;
        for (int at = 0; at < piece.Length;)
        {
            CodePoints.Read(piece, at, out int length);
            at += length;
            if (++count == characters || at == piece.Length)
            {
                Next.Run(piece[start..at], first && start == 0, state);
                (start, count) = (at, 0);
            }
        }
    }
}

/// <summary>Puts a space before a piece that does not begin with one.</summary>
internal sealed class PrefixSpaceStage : Stage
{
    /// <inheritdoc/>
    public override void Run(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        if (piece[0] == ' ')
        {
            Next.Run(piece, first, state);
            return;
        }

        ByteBuffer buffer = state.Buffer(Slot);
        buffer.Add((byte)' ');
        buffer.Add(piece);
        Next.Run(buffer.Span, first, state);
    }

    /// <inheritdoc/>
    public override bool MayCutAfterLetters(out bool always)
    {
        always = false;
        return true;
    }
}

/// <summary>Writes each byte as the character that stands for it (<see cref="ByteUnicode"/>).</summary>
internal sealed class ByteMapStage : Stage
{
    /// <inheritdoc/>
    public override void Run(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        ByteBuffer buffer = state.Buffer(Slot);
        foreach (byte value in piece)
        {
            buffer.AddCodePoint(ByteUnicode.CharOf(value));
        }

        Next.Run(buffer.Span, first, state);
    }
}

/// <summary>Writes spaces as another character, one of them in front where <paramref name="prefix"/> says so.</summary>
internal sealed class MetaspaceStage(string replacement, PrefixScheme prefix) : Stage
{
    private readonly byte[] _replacement = Encoding.UTF8.GetBytes(replacement);

    /// <inheritdoc/>
    public override void Run(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        ByteBuffer buffer = state.Buffer(Slot);
        bool wanted = prefix == PrefixScheme.Always || (prefix == PrefixScheme.First && first);
        if (wanted && piece[0] != ' ' && !piece.StartsWith(_replacement))
        {
            buffer.Add(_replacement);
        }

        while (piece.IndexOf((byte)' ') is var space and >= 0)
        {
            buffer.Add(piece[..space]);
            buffer.Add(_replacement);
            piece = piece[(space + 1)..];
        }

        buffer.Add(piece);
        Next.Run(buffer.Span, first, state);
    }
}

/// <summary>Where a space is put in front.</summary>
internal enum PrefixScheme
{
    /// <summary>At the start of every piece.</summary>
    Always,

    /// <summary>At the start of the text.</summary>
    First,

    /// <summary>Nowhere.</summary>
    Never,
}
