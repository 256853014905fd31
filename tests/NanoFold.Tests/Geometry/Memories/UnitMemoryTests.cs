using NanoFold.Engine;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Geometry.Memories;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Words;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Geometry.Memories;

/// <summary>Units of a small model as keys and values, beside plain computations.</summary>
public sealed class UnitMemoryTests : EngineTests
{
    private const int Vocab = 13, Width = 16, Hidden = 24;

    private static readonly ModelConfig s_model = new() { Layers = 2, Width = Width, Heads = 2, Context = 16, Hidden = Hidden, Vocab = Vocab };

    private static readonly int[][] s_rows = [.. Enumerable.Range(0, 6).Select(row => Numbers.Integers("row", 16, 0, Vocab).Select(token => (token + row * 5) % Vocab).ToArray())];

    [Test]
    public void AUnitIsShownWhereItIsLargestWithTheTokensOfItsValue()
    {
        using var model = new TinyModel(s_model, Backend());
        var activations = new float[s_rows.Length][];
        new SequenceRuns { Points = ["blocks.1.mlp.hook_post"], Read = (row, _, values) => activations[row] = values.ToArray() }.Run(model.Model, s_rows);
        LayerMemory layer = new UnitSurvey(model.Model, s_rows, 4).Layer(1, 3, [7, 2]);
        Assert.That((layer.Layer, layer.Units, layer.Places), Is.EqualTo((1, Hidden, 6L * 15)));
        Assert.That(layer.Shown.Select(unit => unit.Unit), Is.EqualTo(new[] { 7, 2 }));

        float[] down = VocabularyReadOut.Read(model.Store, model.Store["model.layers.1.mlp.down_proj.weight"]), gain = VocabularyReadOut.Read(model.Store, model.Store["model.norm.weight"]);
        float[] head = VocabularyReadOut.HeadOf(model.Model);
        foreach (UnitMemory unit in layer.Shown)
        {
            var all = Enumerable.Range(0, 6).SelectMany(row => Enumerable.Range(1, 15).Select(t => new Excitation(row, t, activations[row][(t * Hidden) + unit.Unit]))).ToArray();
            Excitation[] expected = [.. all.OrderByDescending(one => Math.Abs(one.Activation)).Take(4)];
            Assert.That(unit.Contexts.Select(one => one.Activation), Is.EqualTo(expected.Select(one => one.Activation)));
            Assert.That(unit.Selectivity, Is.EqualTo(Math.Abs(expected[0].Activation) / Math.Sqrt(all.Average(one => (double)one.Activation * one.Activation))).Within(1e-4).Percent);
            double[] logits = [.. Enumerable.Range(0, Vocab).Select(token => Math.Sign(expected[0].Activation) * Enumerable.Range(0, Width).Sum(i => (double)head[(token * Width) + i] * gain[i] * down[(i * Hidden) + unit.Unit]))];
            Assert.That(unit.Promotes.Select(one => one.Token), Is.EqualTo(Enumerable.Range(0, Vocab).OrderByDescending(token => logits[token]).Take(4)));
            Assert.That(unit.Promotes[0].Score, Is.EqualTo(logits.Max()).Within(1e-4));
            Assert.That(unit.Suppresses[0].Score, Is.EqualTo(logits.Min()).Within(1e-4));
        }

        Assert.That(new UnitSurvey(model.Model, s_rows, 2).Layer(0, 5).Shown.Select(unit => unit.Selectivity), Is.Ordered.Descending);
    }

    /// <summary>What units do not contribute to a logit is of embedding and mixers: both together are the logit.</summary>
    [Test]
    public void ContributionsOfUnitsAndTheRestAreTheLogit()
    {
        using var model = new TinyModel(s_model, Backend());
        int[] prompt = s_rows[0][..9];
        UnitPrediction found = UnitPrediction.Of(model.Model, prompt, 5, 4, seed: 1);
        var rest = new float[Width];
        float scale = 0;
        new SequenceRuns
        {
            Points = ["hook_embed", "blocks.0.hook_attn_out", "blocks.1.hook_attn_out", "ln_final.hook_scale"],
            Read = (_, name, values) =>
            {
                if (name == "ln_final.hook_scale")
                {
                    scale = values[^1];
                    return;
                }

                for (int i = 0; i < Width; i++)
                {
                    rest[i] += values[values.Length - Width + i];
                }
            },
        }.Run(model.Model, [prompt]);
        float[] logits = [.. new VocabularyReadOut(model.Model).Logits(rest).Select(logit => logit / scale)];
        Assert.That(found.Logit - found.Share, Is.EqualTo(logits[5] - logits.Average()).Within(1e-3));
        Assert.That(found.Units.Select(unit => unit.Contribution), Is.Ordered.Descending);
        Assert.That((found.Token, found.Units.Count, found.WithoutRandom > 0), Is.EqualTo((5, 4, true)));
        double[] all = model.Logits([.. prompt, .. prompt]);
        Assert.That(found.Probability, Is.EqualTo(Math.Exp(all[(8 * Vocab) + 5]) / Enumerable.Range(0, Vocab).Sum(i => Math.Exp(all[(8 * Vocab) + i]))).Within(1e-5));
        Assert.That(UnitPrediction.Of(model.Model, prompt, null, 1, 1).Token, Is.EqualTo(Enumerable.Range(0, Vocab).MaxBy(i => all[(8 * Vocab) + i])));
    }

    [Test]
    public void ARewrittenUnitSaysItsTokenAndTheModelIsWhatItWasAfterwards()
    {
        using var model = new TinyModel(s_model, Backend());
        double[] before = model.Logits(model.Tokens);
        UnitRewrite found = UnitRewrite.Of(model.Model, s_rows, 1, 3, 4, strength: 100, seed: 1);
        Assert.That((found.Before.Divergence, found.Places), Is.EqualTo((0.0, 90L)));
        Assert.That(found.Excited, Is.InRange(1, 89));
        Assert.That(found.After.Wanted, Is.GreaterThan(found.Before.Wanted + 0.2).And.GreaterThan(found.Random.Wanted));
        Assert.That(found.After.Wanted - found.Before.Wanted, Is.GreaterThan(found.After.WantedElsewhere - found.Before.WantedElsewhere), "what excites the unit changes most");
        Assert.That(new[] { found.After.Divergence, found.Random.Divergence }, Is.All.GreaterThan(0.001));
        Assert.That(model.Logits(model.Tokens), Is.EqualTo(before));
    }

    [Test]
    public void WhatHasNoUnitsIsSaid()
    {
        using var model = new TinyModel(s_model with { FeedForward = MoeConfig.Tiny }, Backend());
        Assert.That(UnitSurvey.WhyNot(model.Model, 0), Is.EqualTo("its feed-forward, moe, is not one of units with a value each"));
        Assert.That(() => UnitRewrite.Of(model.Model, s_rows, 0, 1, 1, 1, 1), Throws.InstanceOf<UserException>().With.Message.Contains("layer 0: its feed-forward, moe"));
        Assert.That(() => UnitPrediction.Of(model.Model, [1, 2], null, 1, 1), Throws.InstanceOf<UserException>().With.Message.Contains("layer 0: its feed-forward, moe"));
        using var dense = new TinyModel(s_model, Backend());
        Assert.That(() => new UnitSurvey(dense.Model, s_rows, 2).Layer(0, 1, [99]), Throws.InstanceOf<UserException>().With.Message.Contains("unit 99: layer 0 has 24 units"));
    }
}
