using NanoFold.Engine.Text;

namespace NanoFold.Tests.Text;

/// <summary>BPE as its definition reads: counts all pairs anew for each merge, merges one pair at a time.</summary>
internal static class NaiveBpe
{
    public static List<BpeMerge> Train(byte[][] texts, int vocab)
    {
        // Pieces beyond 256 bytes are learned from in parts that begin with a character.
        List<List<int>> pieces = [.. texts.SelectMany(Pieces).SelectMany(Parts).Select(piece => piece.Select(value => (int)value).ToList())];
        List<string> tokens = [.. Enumerable.Range(0, 256).Select(value => Convert.ToHexString([(byte)value]))];
        var merges = new List<BpeMerge>();
        var refused = new HashSet<(int, int)>();
        while (tokens.Count < vocab)
        {
            var counts = new Dictionary<(int Left, int Right), int>();
            foreach (List<int> piece in pieces)
            {
                foreach ((int, int) pair in Distinct(piece))
                {
                    counts[pair] = counts.GetValueOrDefault(pair) + 1;
                }
            }

            var best = counts.Where(pair => pair.Value >= 2 && !refused.Contains(pair.Key))
                .OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key).Select(pair => ((int Left, int Right)?)pair.Key).FirstOrDefault();
            if (best is not var (left, right))
            {
                break;
            }

            string token = tokens[left] + tokens[right];
            if (tokens.Contains(token))
            {
                refused.Add((left, right));
                continue;
            }

            foreach (List<int> piece in pieces)
            {
                for (int i = 0; i + 1 < piece.Count; i++)
                {
                    if (piece[i] == left && piece[i + 1] == right)
                    {
                        piece[i] = tokens.Count;
                        piece.RemoveAt(i + 1);
                    }
                }
            }

            merges.Add(new BpeMerge(left, right, tokens.Count));
            tokens.Add(token);
        }

        return merges;
    }

    public static List<int> Encode(BpeModel model, byte[] text)
    {
        var ids = new List<int>();
        foreach (byte[] piece in Pieces(text))
        {
            List<int> tokens = [.. piece.Select(value => Array.FindIndex(model.Tokens, token => token.Length == 1 && token[0] == value))];
            while (true)
            {
                int rank = int.MaxValue;
                int place = -1;
                for (int i = 0; i + 1 < tokens.Count; i++)
                {
                    int found = Array.FindIndex(model.Merges, merge => merge.Left == tokens[i] && merge.Right == tokens[i + 1]);
                    if (found >= 0 && found < rank)
                    {
                        (rank, place) = (found, i);
                    }
                }

                if (place < 0)
                {
                    break;
                }

                tokens[place] = model.Merges[rank].Merged;
                tokens.RemoveAt(place + 1);
            }

            ids.AddRange(tokens);
        }

        return ids;
    }

    // All neighbors: the middle pair of "aaa" counts too.
    private static IEnumerable<(int, int)> Distinct(List<int> piece) => piece.Zip(piece.Skip(1));

    private static IEnumerable<byte[]> Pieces(byte[] text)
    {
        for (int place = 0; place < text.Length;)
        {
            int length = PreTokenizer.Next(text.AsSpan(place));
            yield return text[place..(place + length)];
            place += length;
        }
    }

    private static IEnumerable<byte[]> Parts(byte[] piece)
    {
        while (piece.Length > 256)
        {
            int cut = 256;
            while ((piece[cut] & 0xC0) == 0x80)
            {
                cut--;
            }

            yield return piece[..cut];
            piece = piece[cut..];
        }

        yield return piece;
    }
}
