using NanoFold.Engine.Geometry.Network;
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

    // Logits that are held at a time.
    private const long MostHeld = 1L << 26;

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
        var activations = new float[rows.Count][];
        new SequenceRuns
        {
            Points = [block.Point],
            Read = (row, _, values) =>
            {
                activations[row] = new float[values.Length / block.Count];
                for (int t = 0; t < activations[row].Length; t++)
                {
                    activations[row][t] = values[(t * block.Count) + unit];
                }
            },
        }.Run(model, rows);
        float strongest = activations.SelectMany(row => row.Skip(1)).DefaultIfEmpty().MaxBy(Math.Abs);
        bool IsExcited(int row, int at) => at > 0 && strongest != 0 && activations[row][at] / strongest > ExcitedShare;
        float[] noise = new float[block.Width];
        new GaussianSource(seed).FillNormal(noise);
        double norm = Math.Sqrt(noise.Sum(v => (double)v * v)), by = length * Math.Sign(strongest);
        float[] rewritten = Moved(value, new VocabularyReadOut(model).Direction(token), by), random = Moved(value, [.. noise.Select(v => (float)(v / norm))], by);
        EffectSums before = new(token, IsExcited), after = new(token, IsExcited), other = new(token, IsExcited);
        // What was predicted before is held of some rows at a time.
        foreach (int[] part in Enumerable.Range(0, rows.Count).Chunk((int)Math.Max(1, MostHeld / ((long)model.Config.Context * model.Config.Vocab))))
        {
            var held = new Dictionary<int, float[]>();
            before.Add(model, rows, part, held);
            block.With(unit, rewritten, () => after.Add(model, rows, part, held));
            block.With(unit, random, () => other.Add(model, rows, part, held));
        }

        return new UnitRewrite(
            layer, unit, token, rows.Sum(row => (long)Math.Max(0, row.Length - 1)), rows.Select((row, r) => Enumerable.Range(0, row.Length).Count(t => IsExcited(r, t))).Sum(count => (long)count),
            before.Mean, after.Mean, other.Mean);
    }

    private static float[] Moved(float[] value, float[] direction, double by) => [.. value.Select((v, i) => (float)(v + (by * direction[i])))];

    private sealed class EffectSums(int token, Func<int, int, bool> isExcited)
    {
        private double _loss, _divergence, _wanted, _elsewhere;
        private long _targets, _places, _excited, _others;

        public RewriteEffect Mean => new(_loss / Math.Max(1, _targets), _divergence / Math.Max(1, _places), _wanted / Math.Max(1, _excited), _elsewhere / Math.Max(1, _others));

        /// <summary>Runs some rows, whose logits before are held; where they are not yet, these are.</summary>
        public void Add(Transformer model, IReadOnlyList<int[]> rows, int[] part, Dictionary<int, float[]> held) => new SequenceRuns
        {
            Points = ["hook_logits"],
            ReadLosses = (_, losses) =>
            {
                _loss += losses.Sum(one => (double)one);
                _targets += losses.Length - 1;
            },
            Read = (number, _, values) =>
            {
                int row = part[number], vocab = model.Config.Vocab;
                if (!held.TryGetValue(row, out float[]? before))
                {
                    before = values.ToArray();
                    held.Add(row, before);
                }

                double[] earlier = new double[vocab], now = new double[vocab];
                for (int t = 1; t < values.Length / vocab; t++)
                {
                    TokenDistributions.LogSoftmax(before.AsSpan(t * vocab, vocab), earlier);
                    TokenDistributions.LogSoftmax(values.Slice(t * vocab, vocab), now);
                    double probability = Math.Exp(now[token]);
                    _divergence += TokenDistributions.Divergence(earlier, now);
                    _places++;
                    (_wanted, _excited) = isExcited(row, t) ? (_wanted + probability, _excited + 1) : (_wanted, _excited);
                    (_elsewhere, _others) = isExcited(row, t) ? (_elsewhere, _others) : (_elsewhere + probability, _others + 1);
                }
            },
        }.Run(model, [.. part.Select(row => rows[row])]);
    }
}
