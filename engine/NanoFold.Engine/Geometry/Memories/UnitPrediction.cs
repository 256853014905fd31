using NanoFold.Engine.Geometry.Network;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Geometry.Words;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Geometry.Memories;

/// <summary>What one unit does for a prediction.</summary>
/// <param name="Layer">The block.</param>
/// <param name="Unit">Its number in the block.</param>
/// <param name="Activation">h at the last place.</param>
/// <param name="Contribution">What h times its value adds to the token's logit, less the mean over all tokens, with the last norm's division as it is.</param>
/// <param name="WithoutIt">How much −ln p of the token grows when the unit's value is 0: the exact effect, later blocks included; null where it was not tried.</param>
public sealed record UnitContribution(int Layer, int Unit, double Activation, double Contribution, double? WithoutIt);

/// <summary>Which units carry a prediction.</summary>
/// <param name="Token">What is predicted.</param>
/// <param name="Probability">Of the token, by the model.</param>
/// <param name="Logit">Of the token, less the mean over all.</param>
/// <param name="Share">What all units together contribute to that logit: the rest is of embedding and mixers.</param>
/// <param name="Units">The units that contribute most, the largest first.</param>
/// <param name="WithoutRandom">Mean of the size of <see cref="UnitContribution.WithoutIt"/> over random units of the same blocks.</param>
public sealed record UnitPrediction(int Token, double Probability, double Logit, double Share, IReadOnlyList<UnitContribution> Units, double WithoutRandom)
{
    private const int Randoms = 10;

    /// <summary>Finds the units that carry what follows a prompt.</summary>
    /// <param name="model">Its parameters are what they were afterwards.</param>
    /// <param name="prompt">Tokens.</param>
    /// <param name="token">What is asked for; null for what the model finds most likely.</param>
    /// <param name="top">Units that are given, and tried.</param>
    /// <param name="seed">Of the random units.</param>
    /// <exception cref="UserException">The model cannot be read so.</exception>
    public static UnitPrediction Of(Transformer model, int[] prompt, int? token, int top, ulong seed)
    {
        if (SequenceRuns.WhyNot(model) is { } reason)
        {
            throw new UserException($"the model: {reason}");
        }

        UnitValues[] blocks = [.. Enumerable.Range(0, model.Config.Layers).Where(layer => UnitValues.WhyNot(model, layer) is null).Select(layer => new UnitValues(model, layer))];
        if (blocks.Length == 0)
        {
            throw new UserException($"layer 0: {UnitValues.WhyNot(model, 0)}");
        }

        var seen = new Dictionary<string, float[]>();
        Run(model, prompt, [.. blocks.Select(block => block.Point), "ln_final.hook_scale", "hook_logits"], (name, values) => seen[name] = values);
        float[] logits = seen["hook_logits"];
        int asked = token ?? Array.IndexOf(logits, logits.Max());
        double scale = seen.TryGetValue("ln_final.hook_scale", out float[]? divisor) ? divisor[0] : 1, nats = Nats(logits, asked);
        UnitContribution[] all = [.. blocks.SelectMany(block => Contributions(model, block, seen[block.Point], asked, scale)).OrderByDescending(one => one.Contribution).ThenBy(one => (one.Layer, one.Unit))];
        double Without(UnitContribution one)
        {
            UnitValues block = blocks.First(b => b.Layer == one.Layer);
            return block.With(one.Unit, new float[block.Width], () => NatsOf(model, prompt, asked)) - nats;
        }

        UnitContribution[] best = [.. all.Take(top).Select(one => one with { WithoutIt = Without(one) })];
        var random = new GaussianSource(seed);
        double chance = best.Length == 0 ? 0 : Enumerable.Range(0, Randoms).Average(i =>
        {
            UnitContribution[] same = [.. all.Where(one => one.Layer == best[i % best.Length].Layer && !best.Any(b => b.Layer == one.Layer && b.Unit == one.Unit))];
            return same.Length == 0 ? 0 : Math.Abs(Without(same[random.NextInt(same.Length)]));
        });
        return new UnitPrediction(asked, Math.Exp(-nats), logits[asked] - logits.Average(), all.Sum(one => one.Contribution), best, chance);
    }

    private static List<UnitContribution> Contributions(Transformer model, UnitValues block, float[] activations, int token, double scale)
    {
        var found = new List<UnitContribution>(block.Count);
        new VocabularyReadOut(model).Each(block.All(), (unit, logits) =>
        {
            double mean = 0;
            foreach (float logit in logits)
            {
                mean += logit / (double)logits.Length;
            }

            found.Add(new UnitContribution(block.Layer, unit, activations[unit], activations[unit] * (logits[token] - mean) / scale, null));
        });
        return found;
    }

    private static double NatsOf(Transformer model, int[] prompt, int token)
    {
        double nats = 0;
        Run(model, prompt, ["hook_logits"], (_, values) => nats = Nats(values, token));
        return nats;
    }

    // At the last place.
    private static void Run(Transformer model, int[] prompt, IReadOnlyList<string> points, Action<string, float[]> seen) => new SequenceRuns
    {
        Points = points, Read = (_, name, values) => seen(name, values[(values.Length - (values.Length / prompt.Length))..].ToArray()), ReadLosses = (_, _) => { },
    }.Run(model, [prompt]);

    private static double Nats(ReadOnlySpan<float> logits, int token)
    {
        var logs = new double[logits.Length];
        TokenDistributions.LogSoftmax(logits, logs);
        return -logs[token];
    }
}
