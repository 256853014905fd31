namespace NanoFold.Engine.Data;

/// <summary>Reads one row of a batch from a shard: inputs, the tokens that follow them, and their documents.</summary>
internal static class TokenWindow
{
    /// <summary>A target without meaning, left out of the loss.</summary>
    public const int NoTarget = -1;

    /// <summary>
    /// Fills a row [T] with the tokens at start, start + 1, … and as targets their successors. Past the shard's last
    /// target: token 0, no target, document −1. A BOS token is no target (what the next document is cannot be known),
    /// and where documents are asked for, neither is the first token of another document.
    /// </summary>
    public static void Fill(TokenShard shard, long start, Span<int> tokens, Span<int> targets, Span<int> documents)
    {
        int count = (int)Math.Min(tokens.Length, shard.Tokens - 1 - start);
        shard.Copy(start, tokens[..count]);
        shard.Copy(start + 1, targets[..count]);
        tokens[count..].Clear();
        targets[count..].Fill(NoTarget);
        if (!documents.IsEmpty)
        {
            documents[count..].Fill(NoTarget);
        }

        if (documents.IsEmpty && !shard.Marked)
        {
            return;
        }

        int document = shard.DocumentAt(start);
        for (int done = 0; done < count;)
        {
            long next = document + 1 < shard.Documents ? shard.DocumentStart(document + 1) : shard.Tokens;
            int end = (int)Math.Min(count, next - start);
            if (!documents.IsEmpty)
            {
                documents[done..end].Fill(document);
            }

            if (next - start == end && next < shard.Tokens)
            {
                targets[end - 1] = NoTarget;
            }

            done = end;
            document++;
        }
    }
}
