namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>
/// Where the document of each token begins and ends, in rows whose documents stand one after the other, numbered upward or downward, as packed ones do. A query of such a row
/// sees a range of keys and a key is seen by a range of queries, which never go back from one token to the next, as those of a <see cref="Calls.Attention.VisibleRule"/>.
/// </summary>
internal readonly unsafe struct DocumentSpans
{
    private readonly int* _starts, _ends;
    private readonly int _origin;

    private DocumentSpans(int* starts, int* ends, int origin)
    {
        _starts = starts;
        _ends = ends;
        _origin = origin;
    }

    /// <summary>Whether nothing is known, or all tokens are of one document.</summary>
    public bool IsNone => _starts is null;

    /// <summary>First token of the document of a token; both counted from the origin.</summary>
    public int Start(int token) => _starts[token] - _origin;

    /// <summary>One after the last token of the document of a token; both counted from the origin.</summary>
    public int End(int token) => _ends[token] - _origin;

    /// <summary>The same counted from a token.</summary>
    public DocumentSpans From(int token) => IsNone ? default : new(_starts + token, _ends + token, _origin + token);

    /// <summary>Bytes for a row of each batch row.</summary>
    public static long Bytes(int batch, int tokens) => 2L * batch * tokens * sizeof(int);

    /// <summary>The spans of a batch row in memory that <see cref="Fill"/> wrote; none where documents come back.</summary>
    public static DocumentSpans Of(int* memory, int batch, int tokens)
    {
        int* starts = memory + (2L * batch * tokens);
        return starts[0] < 0 ? default : new(starts, starts + tokens, 0);
    }

    /// <param name="documents">[B, S].</param>
    /// <param name="batch">B.</param>
    /// <param name="tokens">S.</param>
    /// <param name="memory">As many bytes as <see cref="Bytes"/> says.</param>
    public static void Fill(int* documents, int batch, int tokens, int* memory)
    {
        for (int b = 0; b < batch; b++)
        {
            int* starts = memory + (2L * b * tokens);
            if (!TryFill(documents + ((long)b * tokens), tokens, starts, starts + tokens))
            {
                starts[0] = -1;
            }
        }
    }

    private static bool TryFill(int* documents, int tokens, int* starts, int* ends)
    {
        bool rises = false, falls = false;
        for (int t = 0, end; t < tokens; t = end)
        {
            for (end = t + 1; end < tokens && documents[end] == documents[t];)
            {
                end++;
            }

            new Span<int>(starts + t, end - t).Fill(t);
            new Span<int>(ends + t, end - t).Fill(end);
            rises |= end < tokens && documents[end] > documents[t];
            falls |= end < tokens && documents[end] < documents[t];
        }

        return !(rises && falls);
    }
}
