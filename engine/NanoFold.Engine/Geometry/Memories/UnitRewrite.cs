using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Geometry.Words;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Geometry.Memories;

/// <summary>What a rewritten value changed.</summary>
/// <param name="Loss">Mean loss over the text, in nats per token.</param>
/// <param name="Divergence">Mean Kullback–Leibler divergence of what was predicted before to what is predicted now, over all places, in nats.</param>
/// <param name="Wanted">Mean probability of the wanted token at the places that excite the unit.</param>
/// <param name="WantedElsewhere">The same at all other places.</param>
public sealed record RewriteEffect(double Loss, double Divergence, double Wanted, double WantedElsewhere);

/// <summary>
/// Rewrites the value of one unit so that it says another token: v + s‖v‖ · d, d the direction along which the token's logit grows fastest, with the sign of what excites the unit. Its collateral
/// is what changes elsewhere; a random direction of equal length says what any change of this size does.
/// </summary>
/// <param name="Layer">The block.</param>
/// <param name="Unit">Its number in the block.</param>
/// <param name="Token">What it is to say.</param>
/// <param name="Places">Places of the text, and how many of them excite the unit: those at more than half of its strongest activation.</param>
/// <param name="Excited">How many of them.</param>
/// <param name="Before">Before.</param>
/// <param name="After">With the new value.</param>
/// <param name="Random">With a random one of equal length of change.</param>
public sealed record UnitRewrite(int Layer, int Unit, int Token, long Places, long Excited, RewriteEffect Before, RewriteEffect After, RewriteEffect Random)
{
    private const double ExcitedShare = 0.5;

    /// <summary>Rewrites and measures; the model is what it was afterwards.</summary>
    /// <param name="model">Which model.</param>
    /// <param name="rows">Tokens of a text.</param>
    /// <param name="layer">The block.</param>
    /// <param name="unit">Its number in the block.</param>
    /// <param name="token">What it is to say.</param>
    /// <param name="strength">s.</param>
    /// <param name="seed">Of the random direction.</param>
    /// <exception cref="UserException">The model has no such unit.</exception>
    public static UnitRewrite Of(Transformer model, IReadOnlyList<int[]> rows, int layer, int unit, int token, double strength, ulong seed)
    {
        if (UnitSurvey.WhyNot(model, layer) is { } reason)
        {
            throw new UserException($"layer {layer}: {reason}");
        }

        var block = new UnitValues(model, layer);
        if (unit >= block.Count)
        {
            throw UserException.Usage($"unit {unit}: layer {layer} has {block.Count} units, from 0");
        }

        float[] value = block.Value(unit);
        double length = strength * Math.Sqrt(value.Sum(v => (double)v * v));
        float[][] logits = new float[rows.Count][];
        var activations = new float[rows.Count][];
        new SequenceRuns
        {
            Points = [block.Point, "hook_logits"],
            ReadLosses = (_, _) => { },
            Read = (row, name, values) =>
            {
                if (name == block.Point)
                {
                    activations[row] = [.. Enumerable.Range(0, values.Length / block.Count).Select(_ => 0f)];
                    for (int t = 0; t < activations[row].Length; t++)
                    {
                        activations[row][t] = values[(t * block.Count) + unit];
                    }
                }
                else
                {
                    logits[row] = values.ToArray();
                }
            },
        }.Run(model, rows);
        float strongest = activations.SelectMany(row => row.Skip(1)).DefaultIfEmpty().MaxBy(Math.Abs);
        bool IsExcited(int row, int at) => at > 0 && strongest != 0 && activations[row][at] / strongest > ExcitedShare;
        RewriteEffect Measure(float[] direction) => block.With(unit, Moved(value, direction, length * Math.Sign(strongest)), () => Effect(model, rows, logits, token, IsExcited));
        float[] random = new float[block.Width];
        new GaussianSource(seed).FillNormal(random);
        double norm = Math.Sqrt(random.Sum(v => (double)v * v));
        return new UnitRewrite(
            layer, unit, token, rows.Sum(row => (long)Math.Max(0, row.Length - 1)), rows.Select((row, r) => Enumerable.Range(0, row.Length).Count(t => IsExcited(r, t))).Sum(count => (long)count),
            Effect(model, rows, logits, token, IsExcited), Measure(new VocabularyReadOut(model).Direction(token)), Measure([.. random.Select(v => (float)(v / norm))]));
    }

    private static float[] Moved(float[] value, float[] direction, double by) => [.. value.Select((v, i) => (float)(v + (by * direction[i])))];

    private static RewriteEffect Effect(Transformer model, IReadOnlyList<int[]> rows, float[][] before, int token, Func<int, int, bool> isExcited)
    {
        int vocab = model.Config.Vocab;
        double loss = 0, divergence = 0, wanted = 0, elsewhere = 0;
        long targets = 0, places = 0, excited = 0, others = 0;
        new SequenceRuns
        {
            Points = ["hook_logits"],
            ReadLosses = (row, losses) =>
            {
                loss += losses.Sum(one => (double)one);
                targets += losses.Length - 1;
            },
            Read = (row, _, values) =>
            {
                for (int t = 1; t < values.Length / vocab; t++)
                {
                    ReadOnlySpan<float> now = values.Slice(t * vocab, vocab);
                    double probability = Math.Exp(-UnitPrediction.Nats(now, token));
                    divergence += Divergence(before[row].AsSpan(t * vocab, vocab), now);
                    places++;
                    (wanted, excited) = isExcited(row, t) ? (wanted + probability, excited + 1) : (wanted, excited);
                    (elsewhere, others) = isExcited(row, t) ? (elsewhere, others) : (elsewhere + probability, others + 1);
                }
            },
        }.Run(model, rows);
        return new RewriteEffect(loss / Math.Max(1, targets), divergence / Math.Max(1, places), wanted / Math.Max(1, excited), elsewhere / Math.Max(1, others));
    }

    // Σ p ln(p/q).
    private static double Divergence(ReadOnlySpan<float> p, ReadOnlySpan<float> q)
    {
        double lnP = UnitPrediction.Nats(p, 0) + p[0], lnQ = UnitPrediction.Nats(q, 0) + q[0], sum = 0;
        for (int i = 0; i < p.Length; i++)
        {
            sum += Math.Exp(p[i] - lnP) * (p[i] - lnP - (q[i] - lnQ));
        }

        return Math.Max(0, sum);
    }
}
