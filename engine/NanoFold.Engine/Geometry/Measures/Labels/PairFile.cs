using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>Minimal pairs of text, a line each.</summary>
internal static class PairFile
{
    public static IReadOnlyList<MinimalPair> Read(string path, NetworkSample network, int each)
    {
        if (network.Tokenizer is not { } tokenizer)
        {
            throw new UserException($"{path}: the model was not trained on text, so it reads no pairs of text");
        }

        List<MinimalPair> pairs = [];
        string[] lines = FileFault.ReadLines(path);
        for (int line = 0; line < lines.Length; line++)
        {
            if (lines[line].Length == 0)
            {
                continue;
            }

            if (lines[line].Split('\t') is not [{ Length: > 0 } right, { Length: > 0 } wrong, .. { Length: <= 1 } rest])
            {
                throw new UserException($"{path}: line {line + 1}: expected the right and the wrong text with a tab between them, and perhaps a name after another tab");
            }

            int[] first = tokenizer.Encode(right), second = tokenizer.Encode(wrong);
            int at = first.AsSpan().CommonPrefixLength(second);
            if (at == first.Length && at == second.Length)
            {
                throw new UserException($"{path}: line {line + 1}: both texts are the same");
            }

            string kind = rest is [{ Length: > 0 } name] ? name : "all";
            if (pairs.Count(pair => pair.Kind == kind) < each)
            {
                pairs.Add(new MinimalPair(kind, first, second, at));
            }
        }

        return pairs;
    }
}
