using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Experiments;
using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;

namespace NanoFold.Tests.Experiments.Comparisons;

/// <summary>From what is written to what is run: what is held equal is solved for, and what cannot be run is refused with every reason.</summary>
public class ComparisonPlanTests
{
    private const string Base = """ "base": { "tokenizer": "byte", "model": { "layers": 2, "width": 64, "heads": 4, "context": 32 }, "train": { "steps": 100, "batch": 4, "optimizer": "adamw" } } """;

    [Test]
    public void ParametersAreHeldEqualByWidths()
    {
        Comparison plan = Plan(""" "variants": { "a": {}, "gated": { "model.mixer": "gated-attention" }, "moe": { "model.feedForward": "moe" }, "deep": { "model.layers": 8 }, "wide": { "model.width": 80 } } """);
        long budget = CostModel.Of(plan.ReferenceVariant.Resolve().Model with { Vocab = 256 }).Parameters;
        Assert.Multiple(() =>
        {
            Assert.That((plan.Reference, plan.Budget), Is.EqualTo(("a", (double?)budget)));
            Assert.That(plan.Variants.Select(v => Math.Abs(v.Residual!.Value)), Is.All.LessThan(0.01));
            Assert.That(plan.Variants.Select(v => v.Parameters), Is.All.EqualTo(budget).Within(1).Percent);
            Assert.That(plan.Variants.Select(v => v.Tokens), Is.All.EqualTo(100 * 4 * 32));
            // What differs in its feed-forward only keeps its width, and what sets its width keeps that.
            Assert.That(plan.Variants.Select(v => string.Join(", ", v.Solved.Select(s => s.Key).Distinct())), Is.EqualTo(new[] { "", "model.hidden", "model.hidden", "model.width, model.hidden", "model.hidden" }));
            Assert.That(plan.Variants.Select(v => v.Resolve().Model.Width % 8), Is.All.Zero);
            Assert.That(plan.Variants[4].Resolve().Model.Width, Is.EqualTo(80));
        });
    }

    [Test]
    public void FlopsAreHeldEqualByWidths()
    {
        Comparison plan = Plan(""" "equal": "flops", "variants": { "a": {}, "mamba2": { "model.mixer": "mamba2" } } """);
        Assert.Multiple(() =>
        {
            Assert.That(plan.Budget, Is.EqualTo(plan.Variants[0].Flops));
            Assert.That(plan.Variants[1].Flops, Is.EqualTo(plan.Budget).Within(1).Percent);
            Assert.That(plan.Variants[1].Parameters, Is.Not.EqualTo(plan.Variants[0].Parameters));
        });
    }

    [Test]
    public void TokensAreHeldEqualWhereRowsAreLonger()
    {
        Comparison plan = Plan(""" "equal": "tokens", "variants": { "a": {}, "long": { "model.context": 128 }, "many": { "train.batch": 12 } } """);
        Assert.Multiple(() =>
        {
            Assert.That(plan.Variants.Select(v => v.Resolve().Train.Steps), Is.EqualTo(new[] { 100, 25, 33 }));
            Assert.That(plan.Variants.Select(v => v.Residual), Is.EqualTo(new double?[] { 0, 0, (33 * 12 * 32.0 / 12800) - 1 }));
            Assert.That(plan.Variants.SelectMany(v => v.Solved), Is.Empty);
        });
    }

    [Test]
    public void TimeIsHeldEqual()
    {
        Comparison plan = Plan(""" "equal": "seconds", "budget": 30, "variants": { "a": {}, "b": { "model.layers": 1 } } """);
        Assert.That(plan.Variants.Select(v => (v.Resolve().Train.Minutes, v.Residual)), Is.All.EqualTo((0.5, (double?)null)));
        Assert.That(plan.Variants.Select(v => v.Resolve().Train).Select(train => (train.Steps, train.Tokens, train.Flops)), Is.All.EqualTo((TrainConfig.Unbounded, 0L, 0.0)), "nothing but the time ends a run");
    }

    [Test]
    public void VariantsAreEvaluatedOnAsManyTokens()
    {
        Comparison plan = Plan(""" "equal": "tokens", "variants": { "a": {}, "long": { "model.context": 128 }, "short": { "model.context": 16 }, "own": { "model.context": 64, "train.evaluationWindows": 3 }, "many": { "train.batch": 12 } } """);
        int windows = plan.Variants[0].Resolve().Train.EvaluationWindows!.Value;
        Assert.That(plan.Variants.Select(v => v.Resolve().Train.EvaluationWindows), Is.EqualTo(new int?[] { windows, windows / 4, 2 * windows, 3, windows }));
    }

    [Test]
    public void RatesAreTriedWithTheFirstSeed()
    {
        Comparison plan = Plan(""" "equal": "none", "seeds": [5, 6], "learningRates": [1e-3, 3e-3], "weightDecays": [0, 0.1], "variants": { "a": {}, "b 2": { "model.layers": 1 } } """);
        ComparedVariant b = plan.Variants[1];
        RunConfig config = plan.Final(b, plan.Points[3])[1].ConfigOf(b.Resolve());
        Assert.Multiple(() =>
        {
            Assert.That(plan.Search(b).Select(run => run.Name), Is.EqualTo(new[] { "b-2-lr0.001-wd0-seed5", "b-2-lr0.001-wd0.1-seed5", "b-2-lr0.003-wd0-seed5", "b-2-lr0.003-wd0.1-seed5" }));
            Assert.That(plan.Final(b, plan.Points[2]).Select(run => run.Name), Is.EqualTo(new[] { "b-2-lr0.003-wd0-seed5", "b-2-lr0.003-wd0-seed6" }), "the search has trained the first");
            Assert.That(plan.Best([null, 2.5, double.NaN, 2.0]), Is.EqualTo(plan.Points[3]));
            Assert.That(plan.Best([null, null, null, null]), Is.Null);
            Assert.That((config.Train.Seed, config.Train.LearningRate, config.Train.WeightDecay), Is.EqualTo((6L, 3e-3, 0.1)));
            Assert.That(plan.RunCount, Is.EqualTo(2 * 5));
        });
    }

    [Test]
    public void MuonsRatesKeepTheirRatio()
    {
        var train = new TrainConfig().Resolve("nano");
        double ratio = ((MuonConfig)train.Optimizer).MatrixLearningRate!.Value / train.LearningRate!.Value;
        TrainConfig at = new RatePoint(1e-3, null).Apply(train);
        Assert.That((at.LearningRate, ((MuonConfig)at.Optimizer).MatrixLearningRate!.Value / 1e-3), Is.EqualTo((1e-3, ratio)).Within(1e-12));
    }

    [Test]
    public void AShareOfTheStepsTriesARate()
    {
        Comparison plan = Plan(""" "learningRates": [1e-3, 3e-3], "searchShare": 0.25, "variants": { "a": {}, "b": { "model.mixer": "gru" } } """);
        ComparedRun run = plan.Search(plan.Variants[0])[0];
        RunConfig config = run.ConfigOf(run.Variant.Resolve());
        Assert.That((run.Name, config.Train.Steps, config.Train.Warmup, plan.RunCount), Is.EqualTo(("a-lr0.001-seed1-search", 25, (int?)2, 6)));
    }

    [Test]
    public void RatesMayBeTriedAtASmallerWidth()
    {
        Comparison plan = Plan(""" "learningRates": [1e-3, 3e-3], "transferWidth": 32, "seeds": [1, 2], "variants": { "a": {}, "b": { "model.mixer": "gru" } } """);
        var runs = new ComparisonRuns(plan);
        PlannedRun[] known = [.. runs.Known(new Dictionary<string, RunResult>())];
        Assert.Multiple(() =>
        {
            Assert.That(known.Select(run => run.Name), Is.EqualTo(new[] { "a-lr0.001-seed1-search", "b-lr0.001-seed1-search", "a-lr0.003-seed1-search", "b-lr0.003-seed1-search" }));
            Assert.That(known.Select(run => run.Config.Model.Width), Is.All.EqualTo(32));
            Assert.That(known.Select(run => run.Group), Is.EqualTo(new[] { "a", "b", "a", "b" }));
            Assert.That(plan.Variants.Select(variant => variant.Resolve().Model.Parametrization), Is.All.EqualTo(new MupConfig { BaseWidth = 32, BaseHeadDim = 8 }));
            Assert.That((plan.Variants[0].Resolve().Model.Width, runs.Total), Is.EqualTo((64, 8)));
        });
    }

    [Test]
    public void AtASmallerWidthHiddenKeepsItsRatioAndHeadsAreTheVariantsOwn()
    {
        Comparison plan = Plan(""" "equal": "none", "learningRates": [1e-3, 3e-3], "transferWidth": 32, "variants": { "a": {}, "hidden": { "model.hidden": 96 }, "heads": { "model.heads": 2 }, "wide": { "model.feedForward": "relu2" } } """);
        Assert.Multiple(() =>
        {
            Assert.That(plan.Variants.Select(v => (double)v.ResolveSearch().Model.Hidden / v.Resolve().Model.Hidden), Is.All.EqualTo(0.5).Within(0.01));
            Assert.That(plan.Variants[1].ResolveSearch().Model.Hidden, Is.EqualTo(48));
            Assert.That(plan.Variants.SelectMany(v => new[] { v.Resolve(), v.ResolveSearch() }).Select(config => ((MupConfig)config.Model.Parametrization).BaseHeadDim), Is.EqualTo(new[] { 8, 8, 8, 8, 16, 16, 8, 8 }));
        });
    }

    [Test]
    public void ASearchGoesByAllThatIsHeldBackOnlyWhereEveryRunHasThat()
    {
        Assert.That(Comparison.SearchLosses([(1.5, 2.0), (null, 1.75)]), Is.EqualTo(new double?[] { 2.0, 1.75 }));
        Assert.That(Comparison.SearchLosses([(1.5, 2.0), (null, null), (1.25, 2.5)]), Is.EqualTo(new double?[] { 1.5, null, 1.25 }), "a run that failed gives none");
    }

    [Test]
    public void SeedsFollowWhereAllRatesOfAVariantHaveBeenTried()
    {
        Comparison plan = Plan(""" "learningRates": [1e-3, 3e-3], "seeds": [1, 2], "variants": { "a": {}, "b": { "model.mixer": "gru" } } """);
        RunResult Ended(double loss) => new(new JsonObject { ["end"] = "finished", ["validationLoss"] = loss });
        var ended = new Dictionary<string, RunResult> { ["a-lr0.001-seed1"] = Ended(2), ["a-lr0.003-seed1"] = Ended(1.5), ["b-lr0.001-seed1"] = Ended(2) };
        string[] Known() => [.. new ComparisonRuns(plan).Known(ended).Select(run => run.Name)];
        string[] search = ["a-lr0.001-seed1", "b-lr0.001-seed1", "a-lr0.003-seed1", "b-lr0.003-seed1"];
        Assert.That(Known(), Is.EqualTo(search.Append("a-lr0.003-seed2")));
        ended["b-lr0.003-seed1"] = RunResult.Failed("no memory");
        Assert.That(Known(), Is.EqualTo(search.Concat(["a-lr0.003-seed2", "b-lr0.001-seed2"])), "a run that failed is no best one");
    }

    [Test]
    public void TheWholeIsReadAgain()
    {
        Comparison plan = Plan(""" "seeds": [1, 2], "variants": { "a": {}, "gru": { "model.mixer": "gru" } } """);
        using var folder = new TemporaryFolder();
        File.WriteAllText(Path.Combine(folder.Path, Comparison.FileName), plan.ToJson());
        Comparison again = Comparison.Load(folder.Path);
        Assert.Multiple(() =>
        {
            Assert.That(again.ToJson(), Is.EqualTo(plan.ToJson()));
            Assert.That(again.Variants[1].Resolve().ToJson(), Is.EqualTo(plan.Variants[1].Resolve().ToJson()));
        });
    }

    [TestCase(""" "variants": { "a": {} } """, "variants: \"a\" alone has nothing to be compared with; name two at least")]
    [TestCase(""" "variants": { "a": {}, "b": { "model.layers": 2 } } """, "c.json:1: variants.b: differs in nothing from \"a\"; leave one of them out")]
    [TestCase(""" "equal": "none", "variants": { "a b": {}, "A-b": { "model.layers": 1 } } """, "c.json:1: variants.A-b: has nearly the name of \"a b\", so that their folders would have one; give it another")]
    [TestCase(""" "reference": "c", "variants": { "a": {}, "b": { "model.layers": 1 } } """, "c.json:1: reference: there is no variant \"c\"; known: a, b")]
    [TestCase(""" "equal": "none", "variants": { "a": {}, "b": { "model.widht": 2, "train.seed": 3 } } """, "c.json:1: variants.b.model.widht: unknown key; did you mean model.width?")]
    [TestCase(""" "equal": "none", "seeds": [3], "grid": { "train.seed": [1, 2] }, "variants": { "a": {}, "b": { "model.layers": 1 } } """, "c.json:1: grid.train.seed: every variant is trained with the same seeds; name them in seeds")]
    [TestCase(""" "equal": "none", "variants": { "a": {}, "b": { "train.seed": 3 } } """, "c.json:1: variants.b.train.seed: every variant is trained with the same seeds; name them in seeds")]
    [TestCase(""" "learningRates": [1], "variants": { "a": {}, "b": { "train.learningRate": 3 } } """, "c.json:1: variants.b.train.learningRate: learningRates are tried for every variant; leave one of them out")]
    [TestCase(""" "variants": { "a": {}, "b": { "train.steps": 3 } } """, "c.json:1: variants.b.train.steps: equal = params decides how long variants are trained; set it in the base, or equal = none")]
    [TestCase(""" "variants": { "a": {}, "b": { "model.width": 256, "model.hidden": 512 } } """, "c.json:1: variants.b.model.width: the variant sets its widths itself, and is not within 5 % of 130,368 parameters; as it is it is +1,006.9 % off; give another budget, or equal = tokens")]
    [TestCase(""" "budget": 1000, "variants": { "a": {}, "b": { "model.mixer": "gru" } } """, null)]
    [TestCase(""" "equal": "none", "variants": { "a": { "train.stopAfter": 3 }, "b": {} } """, "c.json:1: variants.a.train.stopAfter: runs are carried out to their end; use --minutes to stop all of them, and the same command goes on")]
    [TestCase(""" "equal": "tokens", "budget": 1e15, "variants": { "a": {}, "b": { "model.layers": 1 } } """, "c.json:1: budget: 1000000000000000 tokens are more steps than a run may have; expected at most 127999999872")]
    [TestCase(""" "equal": "none", "variants": { "a": {}, "b": { "train.until": "accuracy>=0.9" } } """, "c.json:1: variants.b.train.until: task \"text\" does not score accuracy; it scores loss, bitsPerByte")]
    [TestCase(""" "equal": "none", "variants": { "a": {}, "b": { "task": "modular-addition", "tokenizer": "byte", "train.until": "acuracy>=0.9" } } """, "c.json:1: variants.b.train.until: task \"modular-addition\" does not score acuracy; it scores loss, accuracy")]
    [TestCase(""" "transferWidth": 32, "variants": { "a": {}, "b": { "model.layers": 1 } } """, "c.json:1: transferWidth: is where rates are tried, and none are; name them in learningRates")]
    [TestCase(""" "grid": { "model.width": 64 }, "variants": { "a": {}, "b": { "model.layers": 1 } } """, "c.json:1: grid.model.width: expected a list of values, got 64")]
    [TestCase(""" "equal": "seconds", "variants": { "a": {}, "b": { "model.layers": 1 } } """, "c.json:1: equal: \"seconds\" needs the time of a run: budget = 60, in seconds, or train.minutes in the base")]
    [TestCase(""" "equal": "none", "grid": { "model.width": [32, 64] }, "variants": { "a": {}, "b": { "model.layers": 2 } } """, "c.json:1: variants.b width=32: differs in nothing from \"a width=32\"; leave one of them out")]
    [TestCase(""" "equal": "none", "variants": { "a": {}, "b": { "task": "modular-addition", "model.vocab": 10 } } """, "c.json:1: variants.b.model.vocab: 10 is less than the 98 symbols of task.modulus = 97; leave it out")]
    public void WhatCannotBeComparedIsRefused(string rest, string? problem)
    {
        var fault = Assert.Throws<ConfigException>(() => Plan(rest));
        Assert.That(fault!.Problems, Is.Unique);
        Assert.That(fault.Problems[0].ToString(), problem is null ? Does.Match("^c.json:1: variants.a.model.width: no model.width or model.hidden comes within 5 % of 1,000 parameters; with model.width = 8") : Is.EqualTo(problem));
    }

    [Test]
    public void AGridIsOfEveryVariantWithEachValue()
    {
        Comparison plan = Plan(""" "equal": "tokens", "grid": { "model.width": [32, 64], "model.layers": [1, 2] }, "variants": { "a": {}, "b": { "model.mixer": "gru" } } """);
        Assert.That(plan.Variants.Take(3).Select(variant => (variant.Name, variant.Folder, variant.Resolve().Model.Width, variant.Resolve().Model.Layers)), Is.EqualTo(new[]
        {
            ("a width=32 layers=1", "a-width=32-layers=1", 32, 1), ("a width=32 layers=2", "a-width=32-layers=2", 32, 2), ("a width=64 layers=1", "a-width=64-layers=1", 64, 1),
        }));
        Assert.That((plan.Variants.Count, plan.Reference), Is.EqualTo((8, "a width=64 layers=2")));
    }

    [Test]
    public void AProblemOfAGridIsToldOnce()
    {
        var fault = Assert.Throws<ConfigException>(() => Plan("\n \"grid\": { \"model.widht\": [32, 64] }, \"variants\": { \"a\": {}, \"b\": { \"model.layers\": 1 } } "));
        Assert.That(fault!.Problems.Select(problem => problem.ToString()), Is.EqualTo(new[] { "c.json:2: grid.model.widht: unknown key; did you mean model.width?" }));
    }

    [Test]
    public void PointsOfAGridAreChosenByName()
    {
        ComparisonFile file = Read(""" "reference": "b width=32", "grid": { "model.width": [32, 64] }, "variants": { "a": {}, "b": { "model.layers": 1 } } """);
        ComparisonFile points = VariantNames.Choose(file, ["a width=64,b"], "--variants"), all = VariantNames.Choose(file, ["a,gru"], "--variants");
        Assert.That((points.Variants.Keys, points.Reference), Is.EqualTo((new[] { "a width=64", "b width=32", "b width=64" }, "b width=32")));
        Assert.That((all.Variants.Keys, all.Reference), Is.EqualTo((new[] { "a", "gru" }, "a width=32")), "the first where the reference is not chosen");
    }

    [TestCase("b 2/ä", "b-2-ä")]
    [TestCase("注意 α", "注意-α")]
    public void AFolderHasTheLettersOfAName(string name, string folder) => Assert.That(VariantChecks.FolderOf(name), Is.EqualTo(folder));

    [Test]
    public void NamesOfKindsAndSettingsAreVariants()
    {
        ComparisonFile file = VariantNames.Choose(Read(""" "variants": { "mine": { "model.layers": 1 }, "other": {} } """), ["attention,mine", "G2:model.mixer=gated-attention:model.mixer.gate=G2,relu2,mamba2:model.mixer.state=32"], "--variants");
        string[] kinds = [.. file.Variants.Values.Select(changes => new ConfigTree().Add(changes).Build()).Select(config => $"{config.Model.Layers} {config.Model.Mixer.Kind} {config.Model.FeedForward.Kind}")];
        Assert.That(file.Variants.Keys.Zip(kinds), Is.EqualTo(new[]
        {
            ("attention", "4 attention swiglu"), ("mine", "1 attention swiglu"), ("G2", "4 gated-attention swiglu"), ("relu2", "4 attention relu2"), ("mamba2", "4 mamba2 swiglu"),
        }));
    }

    [TestCase("attention,attention", "--variants: \"attention\" is there twice; give one of them another name, as in attention2:key=value")]
    [TestCase("atention,gru", "--variants: \"atention\" is no kind, and no settings follow it, as in atention:key=value; did you mean attention?")]
    [TestCase("a:model,gru", "--variants: \"model\" of \"a\" is no setting; expected key=value, such as model.layers=6")]
    public void NamesThatMeanNothingAreRefused(string text, string problem)
        => Assert.That(Assert.Throws<ConfigException>(() => VariantNames.Choose(new ComparisonFile(), [text], "--variants"))!.Problems.Single().ToString(), Is.EqualTo(problem));

    private static ComparisonFile Read(string rest) => ComparisonFileTests.Read($$"""{ {{Base}}, {{rest}} }""");

    private static Comparison Plan(string rest) => ComparisonPlan.Of(Read(rest));
}
