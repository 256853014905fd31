using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Geometry.Words;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Geometry.Memories;

/// <summary>A token with a number.</summary>
/// <param name="Token">Its number in the vocabulary.</param>
/// <param name="Score">Its logit, or what else is said.</param>
public readonly record struct ScoredToken(int Token, double Score);

/// <summary>One hidden unit: what excites it, and what its value says.</summary>
/// <param name="Layer">The block.</param>
/// <param name="Unit">Its number in the block.</param>
/// <param name="Selectivity">The size of its strongest activation over the root mean square of all.</param>
/// <param name="Contexts">Where it is strongest in size, the strongest first.</param>
/// <param name="Promotes">Tokens whose logits its value raises most there, by the head, without the last norm's division.</param>
/// <param name="Suppresses">Tokens whose logits it lowers most.</param>
public sealed record UnitMemory(int Layer, int Unit, double Selectivity, IReadOnlyList<Excitation> Contexts, IReadOnlyList<ScoredToken> Promotes, IReadOnlyList<ScoredToken> Suppresses);

/// <summary>The units of a block.</summary>
/// <param name="Layer">The block.</param>
/// <param name="Units">F.</param>
/// <param name="Places">Places of the text that were looked at.</param>
/// <param name="Agreement">Share of units of which the token after the strongest context is among the tokens that the value promotes most (Geva et al. 2021).</param>
/// <param name="AgreementByChance">The same with values of other units.</param>
/// <param name="Shown">The most selective units, or those that were asked for.</param>
public sealed record LayerMemory(int Layer, int Units, long Places, double Agreement, double AgreementByChance, IReadOnlyList<UnitMemory> Shown);

/// <summary>Reads the feed-forward units of a model as keys and values.</summary>
/// <param name="model">Its parameters stay as they are.</param>
/// <param name="rows">Tokens of a text, each row as long as the context at most.</param>
/// <param name="top">Contexts and tokens that are given of each unit.</param>
public sealed class UnitSurvey(Transformer model, IReadOnlyList<int[]> rows, int top)
{
    // Tokens of a value that a context's next one is looked for among.
    private const int Promoted = 10;
    private const ulong Seed = 1;

    /// <summary>Why a block cannot be read so, or null.</summary>
    public static string? WhyNot(Transformer model, int layer) => Sampling.SequenceRuns.WhyNot(model) ?? UnitValues.WhyNot(model, layer);

    /// <summary>Reads a block.</summary>
    /// <param name="layer">From 0.</param>
    /// <param name="shown">How many units are told of, the most selective.</param>
    /// <param name="units">Those that are told of, in place of them; null for none.</param>
    /// <exception cref="UserException">The block has no such units, or not that many.</exception>
    public LayerMemory Layer(int layer, int shown, IReadOnlyList<int>? units = null)
    {
        var values = new UnitValues(model, layer);
        if (units?.FirstOrDefault(unit => unit >= values.Count, -1) is { } wrong and >= 0)
        {
            throw UserException.Usage($"unit {wrong}: layer {layer} has {values.Count} units, from 0");
        }

        UnitKeys keys = UnitKeys.Find(model, values, rows, top);
        float[] signed = values.All();
        for (int unit = 0; unit < values.Count; unit++)
        {
            // What a unit adds where it is strongest: there it may be negative.
            if (keys.Strongest(unit) is [{ Activation: < 0 }, ..])
            {
                foreach (ref float value in signed.AsSpan(unit * values.Width, values.Width))
                {
                    value = -value;
                }
            }
        }

        int[] chosen = units is not null ? [.. units] : [.. Enumerable.Range(0, values.Count).OrderByDescending(keys.Selectivity).ThenBy(unit => unit).Take(shown)];
        var told = chosen.Distinct().ToDictionary(unit => unit, _ => (UnitMemory?)null);
        (int Unit, int Next, int Other)[] asked = [.. NextTokens(keys, values.Count)];
        Dictionary<int, int> nextOf = asked.ToDictionary(one => one.Unit, one => one.Next);
        ILookup<int, int> nextOfOthers = asked.ToLookup(one => one.Other, one => one.Next);
        int agree = 0, byChance = 0;
        new VocabularyReadOut(model).Each(signed, (unit, logits) =>
        {
            agree += nextOf.TryGetValue(unit, out int next) && IsPromoted(logits, next) ? 1 : 0;
            foreach (int other in nextOfOthers[unit])
            {
                byChance += IsPromoted(logits, other) ? 1 : 0;
            }

            if (told.ContainsKey(unit))
            {
                told[unit] = Tell(keys, logits, layer, unit);
            }
        });
        double all = Math.Max(1, asked.Length);
        return new LayerMemory(layer, values.Count, keys.Places, agree / all, byChance / all, [.. chosen.Select(unit => told[unit]!)]);
    }

    private UnitMemory Tell(UnitKeys keys, ReadOnlySpan<float> logits, int layer, int unit)
    {
        ScoredToken[] sorted = [.. Sorted(logits)];
        return new UnitMemory(layer, unit, keys.Selectivity(unit), keys.Strongest(unit), sorted[..Math.Min(top, sorted.Length)], [.. sorted.Reverse().Take(top)]);
    }

    // The token after a unit's strongest context, and another unit whose value it is also looked for in.
    private IEnumerable<(int Unit, int Next, int Other)> NextTokens(UnitKeys keys, int count)
    {
        var random = new GaussianSource(Seed);
        for (int unit = 0; unit < count; unit++)
        {
            if (keys.Strongest(unit) is [var first, ..] && first.At + 1 < rows[first.Row].Length)
            {
                yield return (unit, rows[first.Row][first.At + 1], (unit + 1 + random.NextInt(Math.Max(1, count - 1))) % count);
            }
        }
    }

    private static bool IsPromoted(ReadOnlySpan<float> logits, int token)
    {
        int larger = 0;
        foreach (float logit in logits)
        {
            larger += logit > logits[token] ? 1 : 0;
        }

        return larger < Promoted;
    }

    private static IEnumerable<ScoredToken> Sorted(ReadOnlySpan<float> logits) =>
        logits.ToArray().Select((logit, token) => new ScoredToken(token, logit)).OrderByDescending(one => one.Score).ThenBy(one => one.Token);
}
