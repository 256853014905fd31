namespace NanoFold.Engine.Runs.Compression;

/// <summary>A part of a text that is coded beside the others, a token of each in turn.</summary>
internal sealed class Lane
{
    /// <param name="begin">Of its first byte in the text.</param>
    /// <param name="length">Bytes of the text.</param>
    /// <param name="before">Bytes that its tokens stand for besides, at its beginning.</param>
    public Lane(int begin, int length, int before)
    {
        (Begin, Length, Before) = (begin, length, before);
        Left = length == 0 ? 0 : length + before;
    }

    public int Begin { get; }

    public int Length { get; }

    public int Before { get; }

    /// <summary>Bytes still to be coded.</summary>
    public int Left { get; private set; }

    /// <summary>Bytes of the text that are coded.</summary>
    public int Coded => Math.Max(0, Length - Left);

    public bool IsComplete => Left == 0;

    // A byte that no token begins with costs more the rarer such bytes were.
    private ulong _symbols;
    private ulong _escapes;

    /// <summary>The frequency of what says that bytes follow as they are, beside tokens of so many: (escapes + 1) / (symbols + 2¹⁴) of them.</summary>
    public ulong Escape(ulong total) => Math.Max(1, (ulong)((UInt128)total * (_escapes + 1) / (_symbols + (1 << 14))));

    public void Count(int bytes, bool isEscape)
    {
        _symbols++;
        _escapes += isEscape ? 1u : 0;
        Left = Math.Max(0, Left - bytes);
    }

    /// <summary>
    /// Cuts a text into parts of about the same length, where a line ends if one does near, and else before a character: what stands at the beginning of a part is predicted from nothing.
    /// </summary>
    public static int[] Cut(ReadOnlySpan<byte> text, int count)
    {
        var lengths = new int[count];
        int begin = 0;
        for (int i = 0; i < count; i++)
        {
            int end = i == count - 1 ? text.Length : Math.Max(begin, NearLine(text, (int)((long)text.Length * (i + 1) / count), text.Length / count / 16));
            lengths[i] = end - begin;
            begin = end;
        }

        return lengths;
    }

    private static int NearLine(ReadOnlySpan<byte> text, int at, int reach)
    {
        int line = text.Slice(at, Math.Min(reach, text.Length - at)).IndexOf((byte)'\n');
        if (line >= 0)
        {
            return at + line + 1;
        }

        for (int back = 0; back < 4 && at - back > 0; back++)
        {
            if ((text[at - back] & 0xc0) != 0x80)
            {
                return at - back;
            }
        }

        return at;
    }
}
