using NanoFold.Engine;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Taps;
using NanoFold.Kernels;
using NanoFold.Tests.Mixers.References;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Taps;

/// <summary>Every point that a model declares, for every mixer and feed-forward, is edited.</summary>
[Parallelizable]
public class TapEditSuite : EngineTests
{
    private static IEnumerable<TestCaseData> Edited => ModelVariants.OneLayer.Select(v => new TestCaseData(v.Model).SetArgDisplayNames(v.Name));

    [TestCaseSource(nameof(Edited))]
    public void AblatedPointsAreZeroAndGradientsAgree(ModelConfig config) => CheckEditor(config, (pattern, _) => new Ablate(pattern),
        (_, edited, _) => Assert.That(edited, Is.All.Zero));

    [TestCaseSource(nameof(Edited))]
    public void SteeredPointsAreMovedAndGradientsAgree(ModelConfig config) => CheckEditor(config, (pattern, value) => new Steer(pattern, value),
        (before, edited, value) => Numbers.AssertClose(TapShapes.Seen("hook_attn_scores", edited), TapShapes.Seen("hook_attn_scores", [.. before.Zip(value, (x, y) => x + y)]), 1e-6, "steered"));

    [TestCaseSource(nameof(Edited))]
    public void PatchedPointsAreReplacedAndGradientsAgree(ModelConfig config) => CheckEditor(config, (pattern, value) => new Patch(pattern, value),
        (_, edited, value) => Assert.That(edited, Is.EqualTo(value)));

    [Test]
    public void AVectorSteersEveryToken()
    {
        using var model = new TinyModel(ModelVariants.Base, Backend());
        var owned = new List<IDisposable>();
        double[] direction = Numbers.Uniform("direction", 16, -1, 1);
        View view = Host.New(model.Store.Backend, DType.Float32, [1, 1, 16], direction, owned);
        var before = new Collector("blocks.0.hook_resid_post");
        var after = new Collector("blocks.0.hook_resid_post");
        _ = model.Logits(model.Tokens, taps: new TapSet([before]));
        double[] steered = model.Logits(model.Tokens, taps: new TapSet([after], [new Steer("blocks.0.hook_resid_post", view)]));
        Assert.That(after.Read[0].Values, Is.EqualTo(before.Read[0].Values.Select((v, i) => (double)((float)v + (float)direction[i % 16]))));
        Assert.That(steered, Is.Not.EqualTo(model.Logits(model.Tokens)));
        owned.ForEach(o => o.Dispose());
    }

    [Test]
    public void EditorsApplyInOrderAndReadersSeeTheResult()
    {
        using var model = new TinyModel(ModelVariants.Base, Backend());
        var owned = new List<IDisposable>();
        View ones = Host.New(model.Store.Backend, DType.Float32, [1, 1, 1], [1], owned);
        var reader = new Collector("hook_embed");
        _ = model.Logits(model.Tokens, taps: new TapSet([reader], [new Ablate("hook_embed"), new Steer("hook_*", ones)]));
        Assert.That(reader.Read[0].Values, Is.All.EqualTo(1));
        owned.ForEach(o => o.Dispose());
    }

    [Test]
    public void WhatNothingUsesCannotBeEdited()
    {
        using var model = new TinyModel(ModelVariants.Base with { FeedForward = Engine.FeedForward.MoeConfig.Tiny }, Backend());
        Assert.That(() => model.TrainingTape(new TapSet([], [new Ablate("blocks.1.mlp.hook_r*")])),
            Throws.TypeOf<UserException>().With.Message.EqualTo("tap blocks.1.mlp.hook_router: can be read, not edited; nothing uses its value"));
    }

    [Test]
    public void AHeadIsKnockedOutByItsPattern()
    {
        using var model = new TinyModel(ModelVariants.Base, Backend());
        var owned = new List<IDisposable>();
        // Everything looks at itself: z is v.
        double[] identity = [.. Enumerable.Range(0, 256).Select(i => i % 17 == 0 ? 1.0 : 0.0)];
        View view = Host.New(model.Store.Backend, DType.Float32, [1, 1, 16, 16], identity, owned);
        var reader = new Collector("blocks.1.attn.hook_?");
        _ = model.Logits(model.Tokens, taps: new TapSet([reader], [new Patch("blocks.1.attn.hook_pattern", view)]));
        Assert.That(reader["blocks.1.attn.hook_z"], Is.EqualTo(reader["blocks.1.attn.hook_v"]));
        owned.ForEach(o => o.Dispose());
    }

    [Test]
    public void RowsOfAnEditedPatternAreTheEdited()
    {
        using var model = new TinyModel(ModelVariants.Base, Backend());
        using var rows = new TapRows(model.Store.Backend, 2);
        var owned = new List<IDisposable>();
        double[] identity = [.. Enumerable.Range(0, 256).Select(i => i % 17 == 0 ? 1.0 : 0.0)];
        View view = Host.New(model.Store.Backend, DType.Float32, [1, 1, 16, 16], identity, owned);
        var reader = new Collector("blocks.1.attn.hook_pattern") { Rows = rows };
        _ = model.Logits(model.Tokens, taps: new TapSet([reader], [new Patch("blocks.1.attn.hook_pattern", view)]));
        Assert.That(reader.Read.Single().Values, Is.EqualTo(Enumerable.Range(0, 2 * 4).SelectMany(i => identity.Skip(i / 4 * 16).Take(16))));
        owned.ForEach(o => o.Dispose());
    }

    // Edits each point of a small model in turn: what is read there, and the gradients of the rest.
    private void CheckEditor(ModelConfig config, Func<string, View, ITapEditor> editor, Action<double[], double[], double[]> check)
    {
        using var model = new TinyModel(config, Backend());
        using var exact = new TinyModel(config, Backend(), DType.Float64);
        var before = new Collector("*");
        _ = model.Train(new TapSet([before]));
        foreach (TapPoint point in model.Model.TapPoints.Where(p => !p.IsReadOnly))
        {
            var owned = new List<IDisposable>();
            int[] shape = TapShapes.Of(point, model);
            double[] value = Numbers.Uniform(point.Name, shape.Aggregate(1, (product, n) => product * n), -1, 1);
            var reader = new Collector(point.Name);
            _ = model.Train(new TapSet([reader], [editor(point.Name, Host.New(model.Store.Backend, DType.Float32, shape, value, owned))]));
            check(before[point.Name], reader[point.Name], value);

            if (config.LayerConfigs().Any(layer => MixerReference.Of(layer.Mixer).HasConstants(layer.Mixer)))
            {
                continue;
            }

            var taps = new TapSet([], [editor(point.Name, Host.New(model.Store.Backend, DType.Float64, shape, value, owned))]);
            using var gradients = new GradCheck(exact.Store, exact.RecordLoss, taps);
            GradientDifference worst = gradients.Worst(elements: 0);
            Assert.That(worst.Relative, Is.LessThan(1e-6), $"{point.Name}: {worst}");
            owned.ForEach(o => o.Dispose());
        }
    }
}
