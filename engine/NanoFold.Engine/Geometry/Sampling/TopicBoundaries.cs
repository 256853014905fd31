using NanoFold.Engine.Text;

namespace NanoFold.Engine.Geometry.Sampling;

/// <summary>Tokens with which something new begins: a document, or a paragraph after an empty line.</summary>
public static class TopicBoundaries
{
    /// <summary>Whether each place is such a beginning. The first places of windows are none: windows begin anywhere.</summary>
    /// <param name="tokens">[B, T].</param>
    /// <param name="documents">[B, T].</param>
    /// <param name="time">T.</param>
    /// <param name="tokenizer">Says what tokens are; null where there is no text: then documents alone count.</param>
    public static bool[] Find(ReadOnlySpan<int> tokens, ReadOnlySpan<int> documents, int time, Tokenizer? tokenizer)
    {
        var begins = new bool[tokens.Length];
        for (int row = 0; row < tokens.Length; row += time)
        {
            int breaks = 0;
            for (int i = row; i < row + time; i++)
            {
                bool isNew = i > row && documents[i] != documents[i - 1];
                ReadOnlySpan<byte> text = tokenizer is null ? [] : tokenizer.BytesOf(tokens[i]);
                foreach (byte one in text)
                {
                    if (one == '\n')
                    {
                        breaks++;
                    }
                    else if (one is not ((byte)' ' or (byte)'\t' or (byte)'\r'))
                    {
                        isNew |= breaks > 1;
                        breaks = 0;
                    }
                }

                begins[i] = isNew && i > row;
            }
        }

        return begins;
    }
}
