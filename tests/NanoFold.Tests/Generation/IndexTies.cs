using NanoFold.Engine.Autograd;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Generation;

/// <summary>
/// Index scores know no positions, so keys of equal tokens score the same, and which of them is chosen is a matter of rounding: of how many tokens were read in one pass with
/// each. Where such a tie decides what a query sees, decoding and full passes may part.
/// </summary>
internal sealed class IndexTies(ModelConfig config)
{
    /// <summary>Scores closer than this part of the largest are a tie: ten times what rounding does to them.</summary>
    private const double Near = 1e-5;

    private readonly Collector _read = new("blocks.*.attn.hook_index_*") { IsOptional = true };

    /// <summary>What a full pass that is asked is recorded with.</summary>
    public TapSet Taps => new([_read]);

    /// <summary>Whether a query of the tokens keeps a key and leaves out another that scores the same.</summary>
    public bool Decide(FullPass full, IReadOnlyList<int> tokens)
    {
        _read.Read.Clear();
        _ = full.Logits(tokens);
        return Enumerable.Range(0, config.Layers).Any(layer => Decide($"blocks.{layer}.attn.hook_index_", tokens.Count));
    }

    private bool Decide(string name, int count)
    {
        if (config.Mixer is not DsaConfig mixer)
        {
            return false;
        }

        (int heads, int depth, int kept) = (mixer.IndexHeads, mixer.IndexDim, mixer.TopK);
        double[] q = _read[name + "q"], k = _read[name + "k"], weights = _read[name + "weights"];
        for (int t = kept; t < count; t++)
        {
            double[] scores = [.. Enumerable.Range(0, t + 1).Select(s => Enumerable.Range(0, heads).Sum(h => weights[(t * heads) + h] * Math.Max(0, Dot(q, ((t * heads) + h) * depth, k, s * depth, depth))))];
            double largest = scores.Max(Math.Abs);
            Array.Sort(scores);
            double last = scores[^kept], next = scores[^(kept + 1)];
            // What no head is for scores 0, whatever is rounded.
            if (last - next <= Near * largest && (last != 0 || next != 0))
            {
                return true;
            }
        }

        return false;
    }

    private static double Dot(double[] a, int atA, double[] b, int atB, int count) => Enumerable.Range(0, count).Sum(i => a[atA + i] * b[atB + i]);
}
