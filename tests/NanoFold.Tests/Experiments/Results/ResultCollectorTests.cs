using System.Text.Json.Nodes;
using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Engine.Experiments.Results;
using NanoFold.Engine.Experiments.Statistics;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Experiments.Results;

/// <summary>From run folders to the result of a comparison: every figure is of the runs that are named beside it, and what is missing is named.</summary>
public class ResultCollectorTests
{
    private const string Three = """ "equal": "none", "seeds": [1, 2, 3], "variants": { "a": {}, "b": { "model.layers": 2 }, "c": { "model.width": 8 } } """;

    private static readonly double[] s_a = [1.0, 1.1, 1.2], s_b = [0.9, 1.02, 1.08], s_c = [1.01, 1.0, 1.35];

    [Test]
    public void FiguresAreThoseOfTheRuns()
    {
        using ComparisonFolder folder = Filled();
        ComparisonResult result = ResultCollector.Collect(folder.Path);
        VariantResult a = Of(result, "a"), b = Of(result, "b"), c = Of(result, "c");
        Assert.Multiple(() =>
        {
            Assert.That(result.Variants.Select(v => v.Name), Is.EqualTo(new[] { "b", "a", "c" }), "the best mean first");
            Assert.That((result.Base, result.RankedBy, result.IsOfAllHeldBack, result.Task, result.LossUnit, result.Equal), Is.EqualTo(("a", "loss", false, "modular-addition", "nats per token", (string?)null)));
            Assert.That(result.Title, Is.EqualTo("3 variants on modular-addition, 3 seeds"));
            Assert.That((b.ValidationLoss!.Value, b.StandardDeviation!.Value), Is.EqualTo((1.0, 0.0916515138991168)).Within(1e-12));
            // Differences −0.1, −0.08, −0.12; t(0.975, 2) = 4.30265.
            Assert.That(b.PairedDifference, Is.EqualTo(-0.1).Within(1e-12));
            Assert.That(b.Interval!.Value.Low, Is.EqualTo(-0.1 - (4.30265272975 * 0.02 / Math.Sqrt(3))).Within(1e-10));
            Assert.That((a.PairedDifference, a.Interval), Is.EqualTo(((double?)null, (Interval?)null)));
            Assert.That((a.TokensPerSecond, a.PeakBytes, a.Tokens, a.TrainingFlops, a.Seconds, a.LearningRate), Is.EqualTo(((double?)100, (long?)2000, (double?)120, (double?)12000, (double?)1.5, (double?)0.02)));
            Assert.That(a.Parameters, Is.EqualTo(folder.Variant("a").Parameters));
            Assert.That(b.Runs.Select(run => (run.Run, run.Seed, run.Validation["loss"], run.State)), Is.EqualTo(s_b.Select((loss, i) => ($"runs/b-seed{i + 1}", i + 1L, loss, CollectedState.Finished))));
            Assert.That(b.Settings.ToJsonString(), Is.EqualTo("""{"model":{"layers":2}}"""));
            // p = 0.0131, of two comparisons 0.0262; c's 95 % interval holds 0.
            Assert.That(b.Verdict, Is.EqualTo("better at 3 seeds: lower by 0.1000 (0.0503 to 0.1497)"));
            Assert.That(c.Verdict, Does.StartWith("no difference seen at 3 seeds; one of this size takes about ").And.EndsWith(" seeds to be seen"));
            Assert.That(new[] { a, b, c }.Select(v => v.MayBeBest), Is.EqualTo(new bool?[] { false, true, true }));
            Assert.That(result.Summary[0], Is.EqualTo("No winner: b has the lowest mean loss, but c may be as good (95 %, paired t tests at 5 % ÷ 2, seed by seed)."));
            Assert.That(result.Summary[2], Is.EqualTo("Differences are to a, seed by seed, with their 95 % interval by Student's t; verdicts are corrected for 2 comparisons (Holm)."));
        });
    }

    [Test]
    public void FilesHoldTheSame()
    {
        using ComparisonFolder folder = Filled();
        ComparisonResult result = ResultCollector.Collect(folder.Path);
        ResultFiles.Write(folder.Path, result);
        Assert.That(ComparisonResult.Read(folder.Path).ToJson().ToJsonString(), Is.EqualTo(result.ToJson().ToJsonString()));
        JsonNode variant = JsonNode.Parse(File.ReadAllText(folder[ComparisonResult.FileName]))!["variants"]![0]!;
        string[] table = File.ReadAllLines(folder[ResultFiles.Table]), runs = File.ReadAllLines(folder[ResultFiles.Runs]), page = File.ReadAllLines(folder[ResultFiles.Markdown]);
        Assert.Multiple(() =>
        {
            string[] keys = ["name", "parameters", "flopsPerToken", "validationLoss", "standardDeviation", "pairedDifference", "interval", "tokensPerSecond", "peakBytes", "cacheBytesPerToken", "runs"];
            Assert.That(keys.Where(key => variant[key] is null), Is.Empty, "the keys that are documented");
            Assert.That(((double)variant["interval"]![0]!, (double)variant["interval"]![1]!), Is.EqualTo((-0.1496827542, -0.0503172458)).Within(1e-8));
            Assert.That(table[1], Does.StartWith("variant,b,false,").And.EndsWith(",0.02,,runs/b-seed1 runs/b-seed2 runs/b-seed3,the rows of every evaluation"));
            Assert.That(table[0].Split(',').Length, Is.EqualTo(table[2].Split(',').Length));
            Assert.That(runs, Has.Length.EqualTo(10));
            Assert.That(runs[4], Is.EqualTo("runs/b-seed1,b,1,0.02,,finished,finished,true,10,120,12000,1.5,100,2000,0.5,0.9,cpu,2,AVX2,"));
            Assert.That(page[3], Is.EqualTo("| --- | --: | --: | --: |"));
            Assert.That(page[4], Is.EqualTo("| b | 1.0000 | 0.0917 | −0.1000 [−0.1497, −0.0503] |"));
            Assert.That(page[5], Is.EqualTo("| a (base) | 1.1000 | 0.1000 |  |"));
        });
    }

    [Test]
    public void OneSeedNamesNoWinner()
    {
        using var folder = new ComparisonFolder(""" "equal": "none", "seeds": [5], "variants": { "a": {}, "b": { "model.layers": 2 } } """);
        End(folder, "a", 1.25);
        End(folder, "b", 0.5);
        ComparisonResult result = ResultCollector.Collect(folder.Path);
        VariantResult b = Of(result, "b");
        Assert.Multiple(() =>
        {
            Assert.That((b.ValidationLoss, b.StandardDeviation, b.PairedDifference, b.Interval, b.MayBeBest), Is.EqualTo(((double?)0.5, (double?)null, (double?)-0.75, (Interval?)null, (bool?)null)));
            Assert.That(b.Verdict, Is.EqualTo("lower by 0.7500 at one seed, without an interval"));
            Assert.That(result.Summary[0], Is.EqualTo("No winner: no two variants share two seeds, so that nothing is known of their noise and the order is that of single runs. b has the lowest mean loss."));
            Assert.That(ResultTable.Ranking(result).Rows[0], Is.EqualTo(new[] { "b", "0.5000", "−0.7500" }));
            Assert.That(ResultTable.Ranking(result).Heads, Is.EqualTo(new[] { "variant", "loss", "difference [no interval]" }));
        });
    }

    [Test]
    public void WhatIsMissingIsNamedAndEntersNoMean()
    {
        using var folder = new ComparisonFolder(Three);
        End(folder, "a", s_a);
        End(folder, "b", 0.9, 1.02);
        folder.Failed(folder.Comparison.Final(folder.Variant("b"), new RatePoint(null, null))[2], "out of memory, it says");
        folder.Begun(folder.Comparison.Final(folder.Variant("c"), new RatePoint(null, null))[1], step: 4);
        ComparisonResult result = ResultCollector.Collect(folder.Path);
        VariantResult b = Of(result, "b"), c = Of(result, "c");
        Assert.Multiple(() =>
        {
            Assert.That((b.ValidationLoss!.Value, b.Figures[0].Seeds, b.Figures[0].Difference!.Pairs), Is.EqualTo((0.96, 2, 2)));
            Assert.That((c.ValidationLoss, c.Verdict, c.MayBeBest), Is.EqualTo(((double?)null, "no result: none of its runs has finished", (bool?)null)));
            Assert.That(c.Runs.Select(run => (run.State, run.Steps, run.Tokens)), Is.EqualTo(new[] { (CollectedState.Missing, 0L, 0L), (CollectedState.Unfinished, 4L, 48L), (CollectedState.Missing, 0L, 0L) }));
            Assert.That(result.Variants[^1].Name, Is.EqualTo("c"));
            Assert.That(result.Summary, Is.SupersetOf(new[] { "Failed: runs/b-seed3: out of memory, it says", "Not finished: c-seed2.", "Not begun: c-seed1 and c-seed3.", "Not all variants have the same number of seeds; only common ones are compared." }));
        });
        Assert.That(ResultFiles.RunsOf(result), Does.Contain("\"out of memory, it says\""));
    }

    [Test]
    public void NothingIsThereYet()
    {
        using var folder = new ComparisonFolder(Three);
        ComparisonResult result = ResultCollector.Collect(folder.Path);
        ResultFiles.Write(folder.Path, result);
        Assert.That(result.Variants.Select(v => (v.ValidationLoss, v.Verdict)), Is.All.EqualTo(((double?)null, "no result: none of its runs has finished")));
        Assert.That(ComparisonResult.Read(folder.Path).Variants, Has.Count.EqualTo(3));
    }

    [Test]
    public void SeedsRunWithTheBestRateOfTheSearch()
    {
        using var folder = new ComparisonFolder(""" "equal": "none", "seeds": [1, 2], "learningRates": [0.001, 0.01, 0.1], "variants": { "a": {}, "b": { "model.layers": 2 } } """);
        foreach ((string name, double[] losses, int best) in new[] { ("a", new[] { 1.5, 1.0, 2.0 }, 1), ("b", [0.7, 0.9, 1.4], 0) })
        {
            ComparedVariant variant = folder.Variant(name);
            IReadOnlyList<ComparedRun> search = folder.Comparison.Search(variant);
            for (int i = 0; i < 3; i++)
            {
                folder.Ended(search[i], ("validationLoss", losses[i]));
            }

            folder.Ended(folder.Comparison.Final(variant, folder.Comparison.Points[best])[1], ("validationLoss", losses[best] + 0.1));
        }

        folder.Failed(folder.Comparison.Search(folder.Variant("a"))[2], "step 3: the loss is not finite");
        ComparisonResult result = ResultCollector.Collect(folder.Path);
        VariantResult a = Of(result, "a"), b = Of(result, "b");
        Assert.Multiple(() =>
        {
            Assert.That((a.LearningRate, b.LearningRate), Is.EqualTo(((double?)0.01, (double?)0.001)));
            Assert.That((a.ValidationLoss!.Value, b.ValidationLoss!.Value), Is.EqualTo((1.05, 0.75)).Within(1e-12));
            Assert.That(a.Search.Select(t => (t.LearningRate, t.Value, t.State, t.IsBest)), Is.EqualTo(new[] { (0.001, (double?)1.5, CollectedState.Finished, false), (0.01, 1.0, CollectedState.Finished, true), (0.1, null, CollectedState.Failed, false) }));
            Assert.That(ResultTable.Searches(result)!.Rows, Is.EqualTo(new[] { new[] { "b", "0.7000*", "0.9000", "1.4000" }, ["a", "1.5000", "1.0000*", "failed"] }));
            Assert.That(result.Summary, Is.SupersetOf(new[] { "The best learning rate is at an end of those tried for b (0.001): a better one may lie beyond.", "Failed: runs/a-lr0.1-seed1 (a trial of the search): step 3: the loss is not finite" }));
            Assert.That(result.AllRuns, Has.Count.EqualTo(8));
        });
    }

    [Test]
    public void AccuracyRanksWhereAllHaveIt()
    {
        using var folder = new ComparisonFolder(Three);
        double[][] accuracies = [[0.5, 0.6, 0.55], [0.99, 1, 1], [0.99, 1, 1]];
        foreach ((string name, int i) in new[] { "a", "b", "c" }.Select((name, i) => (name, i)))
        {
            for (int seed = 0; seed < 3; seed++)
            {
                folder.Ended(folder.Comparison.Final(folder.Variant(name), new RatePoint(null, null))[seed], ("validationLoss", 3), ("fullValidationLoss", i + seed), ("fullValidationAccuracy", accuracies[i][seed]));
            }
        }

        ComparisonResult result = ResultCollector.Collect(folder.Path);
        Assert.Multiple(() =>
        {
            Assert.That((result.RankedBy, result.IsOfAllHeldBack), Is.EqualTo(("accuracy", true)));
            Assert.That(result.Variants.Select(v => v.Name), Is.EqualTo(new[] { "b", "c", "a" }), "alike by accuracy: by loss");
            Assert.That(result.Variants.Select(v => v.MayBeBest), Is.EqualTo(new bool?[] { true, true, false }));
            Assert.That(Of(result, "b").Verdict, Is.EqualTo("better at 3 seeds: higher by 44.7 points (33.5 to 55.9)"));
            Assert.That(ResultTable.Ranking(result).Rows[0][1], Is.EqualTo("99.7 %"));
            Assert.That(result.Summary[0], Does.StartWith("No winner: b and c tie for the highest mean accuracy ("));
        });
    }

    /// <summary>A variant of one seed has the best mean and was not tested; the others were.</summary>
    [Test]
    public void AWinnerWasTested()
    {
        using var folder = new ComparisonFolder(Three);
        End(folder, "a", 1.0, 1.1, 1.2);
        End(folder, "b", 0.5, 0.61, 0.7);
        End(folder, "c", 0.4);
        ComparisonResult result = ResultCollector.Collect(folder.Path);
        Assert.That(result.Summary[0], Is.EqualTo("No winner: c has the lowest mean loss, but c shares fewer than two seeds with every other one, so that it was not tested; b may be as good (95 %, paired t tests at 5 % ÷ 2, seed by seed)."));
        End(folder, "c", 2.4, 2.5, 2.61);
        Assert.That(ResultCollector.Collect(folder.Path).Summary[0], Is.EqualTo("b is the best: it has the lowest mean loss, and every other variant is behind one at the seeds that they share by more than the noise of seeds explains (95 %, paired t tests at 5 % ÷ 2, seed by seed)."));
    }

    [Test]
    public void TheSameDifferenceAtEverySeedIsSaid()
    {
        using var folder = new ComparisonFolder(Three);
        End(folder, "a", 1.0, 1.1, 1.2);
        End(folder, "b", 0.9, 1.0, 1.1);
        End(folder, "c", 1.0, 1.1, 1.2);
        ComparisonResult result = ResultCollector.Collect(folder.Path);
        Assert.That(Of(result, "b").Verdict, Is.EqualTo("lower by 0.1000 at each of 3 seeds: the same difference at every seed; the noise of seeds is not known"));
        Assert.That(Of(result, "c").Verdict, Is.EqualTo("the same as the base at each of 3 seeds"));
        Assert.That(result.Summary[0], Does.StartWith("No winner: b has the lowest mean loss, but "));
    }

    [Test]
    public void LossesOfDifferentTokenizersAreNotRanked()
    {
        using var folder = new ComparisonFolder(""" "equal": "none", "seeds": [1], "variants": { "a": { "task": "text", "tokenizer": "byte", "data.path": "x.txt" }, "b": { "task": "text", "tokenizer": { "kind": "bpe", "vocab": 300 }, "data.path": "x.txt" } } """);
        foreach ((string name, double loss, double bits) in new[] { ("a", 1.5, 2.2), ("b", 3.0, 2.1) })
        {
            folder.Ended(folder.Comparison.Final(folder.Variant(name), new RatePoint(null, null))[0], ("validationLoss", loss), ("validationBitsPerByte", bits));
        }

        ComparisonResult result = ResultCollector.Collect(folder.Path);
        Assert.That((result.RankedBy, result.Variants[0].Name, result.Variants[0].Verdict), Is.EqualTo(("bitsPerByte", "b", "lower by 0.1000 at one seed, without an interval")));
        Assert.That(result.Summary, Does.Contain("Ranked by bits per byte, for losses of different tokenizers are of different tokens."));
    }

    [Test]
    public void GeometryIsOfTheLastStepOfEachMeasure()
    {
        using ComparisonFolder folder = Filled();
        for (int seed = 1; seed <= 2; seed++)
        {
            string[] lines =
            [
                """{"step":4,"measure":"spectrum","scope":"layer","point":"blocks.0.hook_resid_post","layer":0,"figures":{"participationRatio":{"value":9}}}""",
                """{"step":8,"measure":"spectrum","scope":"layer","point":"blocks.0.hook_resid_post","layer":0,"figures":{"participationRatio":{"value":SEED},"isoScore":{"value":null}}}""",
                """{"step":8,"measure":"attention-heads","scope":"head","point":"blocks.0.attn","layer":0,"head":1,"figures":{"firstTokenMass":{"value":1}}}""",
            ];
            File.WriteAllLines(Path.Combine(folder.Path, "runs", $"a-seed{seed}", RunFolder.GeometryFile), lines.Select(line => line.Replace("SEED", $"{seed}", StringComparison.Ordinal)));
        }

        Assert.That(Of(ResultCollector.Collect(folder.Path), "a").Geometry, Is.EqualTo(new[] { new GeometryResult("spectrum", "participationRatio", "blocks.0.hook_resid_post", 0, 1.5, Math.Sqrt(0.5), 2) }));
    }

    [TestCase(3, "\"model.context\": 12, \"train.evaluationWindows\": 2", "Losses in nats per token, on the rows of every evaluation, which are not the same for all variants; ± is the standard deviation over seeds.")]
    [TestCase(8, "\"model.context\": 12, \"train.evaluationWindows\": 2", "Losses in nats per token, on the rows of every evaluation, as many tokens of each variant but not the same rows, for contexts differ; ± is the standard deviation over seeds.")]
    [TestCase(8, "\"model.layers\": 2, \"train.evaluationWindows\": 8", "Losses in nats per token, on the rows of every evaluation, the same for all runs; ± is the standard deviation over seeds.")]
    public void RowsOfOtherContextsAreSaid(int windows, string changes, string sentence)
    {
        using var folder = new ComparisonFolder($$""" "equal": "none", "variants": { "a": { "train.evaluationWindows": {{windows}} }, "b": { {{changes}} } } """);
        End(folder, "a", 2);
        End(folder, "b", 1);
        Assert.That(ResultCollector.Collect(folder.Path).Summary, Does.Contain(sentence));
    }

    private static ComparisonFolder Filled()
    {
        var folder = new ComparisonFolder(Three);
        End(folder, "a", s_a);
        End(folder, "b", s_b);
        End(folder, "c", s_c);
        return folder;
    }

    private static void End(ComparisonFolder folder, string variant, params double[] losses)
    {
        IReadOnlyList<ComparedRun> runs = folder.Comparison.Final(folder.Variant(variant), new RatePoint(null, null));
        for (int i = 0; i < losses.Length; i++)
        {
            folder.Ended(runs[i], ("validationLoss", losses[i]));
        }
    }

    private static VariantResult Of(ComparisonResult result, string name) => result.Variants.Single(variant => variant.Name == name);
}
