using NanoFold.Engine.Experiments.Coordinates;
using NanoFold.Engine.Experiments.Scaling;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Experiments.Coordinates;

/// <summary>Changes of activations stay of one size with µP, and grow with the width without it.</summary>
public class CoordinateCheckTests
{
    [Test]
    public void ChangesGrowInTheStandardParametrizationAndNotInMup()
    {
        using var rig = new TrainRig();
        CoordinateCheck check = Check(rig, "train.learningRate=0.01");
        ParametrizationCheck standard = check.Parametrizations.Single(p => p.Parametrization == "standard"), mup = check.Parametrizations.Single(p => p.Parametrization == "mup");

        Assert.That((standard.IsFlat, mup.IsFlat), Is.EqualTo((false, true)));
        Assert.That(standard.Slopes.Single(s => s.Point == "hook_logits").OfChange, Is.GreaterThan(0.5));
        Assert.That(mup.Slopes.Select(s => s.OfChange), Is.All.InRange(-0.25, 0.25));
        Assert.That(check.Parametrizations.SelectMany(p => p.Slopes).Select(s => double.IsFinite(s.OfChange) && double.IsFinite(s.OfSize)), Is.All.True);
        Assert.That(mup.Points.Where(p => p.Step == 0).Select(p => p.Change), Is.All.EqualTo(0));
        Assert.That(mup.Points.Select(p => p.Size), Is.All.GreaterThan(0));
        Assert.That(mup.Points.Select(p => p.Point).Distinct(), Is.EqualTo(new[] { "hook_embed", "hook_attn_out", "hook_mlp_out", "hook_resid_post", "hook_logits" }));
        Assert.That(mup.Points, Has.Count.EqualTo(5 * 3 * 4));

        check.Write(rig[""]);
        CoordinateCheck read = CoordinateCheck.Find(rig[""])!;
        Assert.That(read.Parametrizations[1].Points, Is.EqualTo(mup.Points));
        Assert.That(read.Parametrizations[0].Slopes, Is.EqualTo(standard.Slopes));
        Assert.That(File.ReadAllText(rig[CoordinateCheck.FileName]), Does.Contain("\"verdict\": \"growing\"").And.Contain("\"verdict\": \"flat\""));
    }

    /// <summary>A query reads as many elements as the width has and gives one score: at one rate for all widths, what is read of which value would change ever more.</summary>
    [Test]
    public void WeightsOfAttentionResidualsChangeAsMuchAtEveryWidthInMup()
    {
        using var rig = new TrainRig();
        CoordinateCheck check = Check(rig, "train.learningRate=0.003", "model.residual=attention-residuals");
        CoordinateSlope Weights(string kind) => check.Parametrizations.Single(p => p.Parametrization == kind).Slopes.Single(s => s.Point == "hook_weights");
        Assert.That(Weights("standard").OfChange, Is.GreaterThan(0.5));
        Assert.That(Weights("mup").OfChange, Is.InRange(-0.25, 0.25));
        Assert.That(Weights("mup").OfSize, Is.EqualTo(0).Within(1e-6), "shares that sum up to 1");
    }

    [Test]
    public void WhatHasNotMovedHasNoSlope()
    {
        Assert.That(CoordinateChecker.Slope([(16, 0), (32, 2), (64, 4), (128, 8)]), Is.EqualTo(1).Within(1e-12), "widths that have moved");
        Assert.That(CoordinateChecker.Slope([(16, 0), (32, 2)]), Is.NaN);
        Assert.That(CoordinateChecker.Slope([(16, 0), (32, 0)]), Is.NaN);
    }

    private static CoordinateCheck Check(TrainRig rig, params string[] more)
    {
        using var backend = new CpuBackend(2);
        string[] settings = rig.Settings(["train.optimizer=adamw", "model.layers=1", "model.parametrization=mup", "model.parametrization.baseWidth=16", .. more]);
        var family = new ModelFamily(sizes => settings.Concat(sizes).Aggregate(new ConfigTree(), (tree, setting) => tree.Set(setting)).Build());
        return CoordinateChecker.Run(family, new CoordinateOptions { Widths = [16, 32, 128], Steps = 3, Seeds = [1] }, backend);
    }

    [TestCase(double.NaN, double.NaN, CoordinateVerdict.Still, "nothing has moved yet")]
    [TestCase(double.NaN, 0.1, CoordinateVerdict.Flat, "no change grows or falls faster than a power 0.25 of the width")]
    [TestCase(-0.3, 0.5, CoordinateVerdict.Growing, "changes grow with the width (hook_logits 0.50), so that a learning rate found at a small width is too large")]
    [TestCase(-0.5, 0.1, CoordinateVerdict.Falling, "changes become smaller with the width (hook_embed -0.50), so that a learning rate found at a small width is too small")]
    public void BothDirectionsAreSaid(double first, double second, CoordinateVerdict verdict, string words)
    {
        var check = new ParametrizationCheck("mup", 0.01, [], [new("hook_embed", 0, first), new("hook_logits", 0, second)]);
        Assert.That((check.Verdict, check.IsFlat), Is.EqualTo((verdict, verdict == CoordinateVerdict.Flat)));
        Assert.That(check.Words, Does.StartWith(words));
    }
}
