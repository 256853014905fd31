using System.Text.Json.Nodes;
using NanoFold.Cli.Commands.Evaluations;
using NanoFold.Engine;
using NanoFold.Engine.Data;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs.Evaluations;

/// <summary>Losses told apart, and longer rows: <c>evaluation.json</c>.</summary>
[NonParallelizable]
public sealed class DetailedEvaluationTests
{
    private TrainRig _rig = null!;

    [SetUp]
    public void Begin() => _rig = new TrainRig();

    [TearDown]
    public void End() => _rig.Dispose();

    /// <summary>Each bin of each axis is what a loop over single tokens finds, and together they are the loss.</summary>
    [Test]
    public void EveryBinIsTheMeanOfItsTargets()
    {
        using var backend = new CpuBackend(1);
        using TrainSession session = TrainSession.Open(_rig.Config("train.steps=1"), backend);
        new TrainLoop(session).Run();
        using TokenDataset dataset = TrainData.Open(session.Config);
        DetailedEvaluation found = new DetailedEvaluator(session.Model, session.Config, session.Task).Run(1);
        (int Place, int Token, double Nats)[] targets = [.. Nats(session)];
        int[] counts = TextAxes.Count(dataset.Train);
        long tokens = dataset.Validation.Tokens;

        Assert.That((found.Targets, found.Rows, found.AllRows, found.Context), Is.EqualTo((tokens - 1, (tokens + 6) / 8, (tokens + 6) / 8, 8)));
        Assert.That(found.Loss, Is.EqualTo(targets.Average(t => t.Nats)).Within(1e-6));
        Assert.That(found.BitsPerByte, Is.EqualTo(found.Loss / Math.Log(2)).Within(1e-12), "a token is a byte");
        Assert.That(found.Breakdowns.Select(b => b.Axis), Is.EqualTo(new[] { "position", "frequency", "documentPart" }));
        Same(found.By("position")!, targets, t => t.Place % 8, [(0, 0), (1, 1), (2, 3), (4, 7)]);
        Same(found.By("frequency")!, targets, t => counts[t.Token], [(0, 0), (1, 9), (10, 99), (100, 999)]);
        Same(found.By("documentPart")!, targets, t => (int)((t.Place + 1L) * 10 / tokens), [.. Enumerable.Range(0, 10).Select(i => ((long)i, (long)i))]);
    }

    /// <summary>A run leaves the file at its end, once, of its last step; a run that goes on takes it away.</summary>
    [Test]
    public void ARunLeavesItAtItsEnd()
    {
        string[] settings = ["train.detailedEvaluation=true", "train.schedule=constant"];
        TrainSummary summary = _rig.Train("run", settings);
        DetailedEvaluation found = DetailedEvaluation.Find(_rig["run"])!;
        // An eighth of 12 steps of 24 tokens is less than a batch of 64 rows, which is all that there is.
        Assert.That((found.Step, found.Task, found.Unit, found.Targets), Is.EqualTo((12L, "text", "nats per token", summary.FullValidation!.Value.Tokens)));
        Assert.That(found.Loss, Is.EqualTo(summary.FullValidation!.Value.Loss).Within(1e-12));
        Assert.That(found.Contexts.Select(c => (c.Factor, c.Context, c.WhyNot)), Is.EqualTo(new[] { (1, 8, (string?)null), (2, 16, null), (4, 32, null) }));
        Assert.That(found.Contexts[2].Positions!.Bins.Select(b => b.To), Is.EqualTo(new[] { 0L, 1, 3, 7, 15, 31 }));
        Assert.That(found.Contexts.Select(c => c.Targets), Is.All.EqualTo(found.Targets));

        string path = _rig["run/evaluation.json"];
        string text = File.ReadAllText(path);
        Assert.That(RecordFile.ToBytes(found), Is.EqualTo(File.ReadAllBytes(path)), "it reads as it was written");
        _rig.Resume("run");
        Assert.That(File.ReadAllText(path), Is.EqualTo(text), "nothing is evaluated twice");

        File.WriteAllText(path, "{");
        Assert.That(() => DetailedEvaluation.Find(_rig["run"]), Throws.TypeOf<UserException>().With.Message.StartsWith($"{path}: is damaged"));
        _rig.Resume("run");
        Assert.That(RecordFile.ToBytes(DetailedEvaluation.Find(_rig["run"])! with { Seconds = 0 }), Is.EqualTo(RecordFile.ToBytes(found with { Seconds = 0 })), "made again, it is the same");

        CommandLine.Json("train", "--threads", "1", "--resume", _rig["run"], "--steps", "14", "--set", "train.stopAfter=13");
        Assert.That(File.Exists(path), Is.False, "what was found after step 12 is of another model");
        _rig.Resume("run");
        Assert.That(DetailedEvaluation.Find(_rig["run"])!.Step, Is.EqualTo(14));
    }

    [TestCase("model.position=learned", "model.position is \"learned\": there are no vectors for places beyond 8")]
    [TestCase("model.mixer=mlp-mixer", "'model.layers.0.self_attn.mix' has weights for 8 places")]
    public void WhereLongerRowsCannotBeReadItSaysWhy(string setting, string reason)
    {
        using var backend = new CpuBackend(1);
        using TrainSession session = TrainSession.Open(_rig.Config(setting), backend);
        DetailedEvaluation found = new DetailedEvaluator(session.Model, session.Config, session.Task).Run(0);
        Assert.That(found.Contexts.Select(c => (c.WhyNot, c.Loss is null)), Is.EqualTo(new[] { ((string?)null, false), (reason, true), (reason, true) }));
    }

    /// <summary>What follows from the context where it is left open stays as it was in training: a window of a quarter of 8 is one of 2.</summary>
    [TestCase("sliding-window")]
    [TestCase("gru")]
    [TestCase("top-k")]
    public void AModelIsTheSameOnLongerRows(string mixer)
    {
        using var backend = new CpuBackend(1);
        using TrainSession session = TrainSession.Open(_rig.Config($"model.mixer={mixer}"), backend);
        DetailedEvaluation found = new DetailedEvaluator(session.Model, session.Config, session.Task).Run(0);
        Assert.That(found.Contexts.Select(c => c.WhyNot), Is.All.Null);
        // The first places of a row of 32 are those of each fourth row of 8: their tokens see the same.
        (int Place, int Token, double Nats)[] targets = [.. Nats(session).Where(t => t.Place % 32 < 8)];
        foreach (ScoreBin bin in found.Contexts[2].Positions!.Bins.Where(bin => bin.To < 8))
        {
            (int Place, int Token, double Nats)[] of = [.. targets.Where(t => t.Place % 32 >= bin.From && t.Place % 32 <= bin.To)];
            Assert.That((bin.Targets, bin.Loss), Is.EqualTo((of.LongLength, of.Average(t => t.Nats))).Using<(long, double)>((a, b) => a.Item1 == b.Item1 && Math.Abs(a.Item2 - b.Item2) < 1e-5));
        }
    }

    /// <summary>Where not all is taken, rows of every length cover the same places: a model that sees nothing but its own token has the same loss on each.</summary>
    [Test]
    public void RowsOfEveryLengthCoverTheSamePlaces()
    {
        using var backend = new CpuBackend(1);
        string text = string.Concat(Enumerable.Range(0, 2200).Select(i => $"{i * i % 977}, "));
        using TrainSession session = TrainSession.Open(_rig.Config($"data.path={_rig.Write("long.txt", text)}", "model.mixer=sliding-window", "model.mixer.window=1"), backend);
        DetailedEvaluation found = new DetailedEvaluator(session.Model, session.Config, session.Task) { Places = 1 }.Run(0);
        // A batch of rows of 32 has 64 of them: of rows of 8 there are four for each, neighbors.
        Assert.That((found.Rows, found.Targets), Is.EqualTo((256L, 2048L)));
        Assert.That(found.AllRows, Is.GreaterThan(300));
        Assert.That(found.Contexts.Select(context => context.Targets), Is.All.EqualTo(2048));
        Assert.That(found.Contexts.Select(context => context.Loss!.Value), Is.All.EqualTo(found.Loss).Within(1e-6));
    }

    [TestCase("task=transitivity", "problem")]
    [TestCase("task=modular-addition task.scoreTrained=true task.modulus=7 model.context=9", "trained")]
    public void ScoresOfGroupsAreToldApartToo(string settings, string axis)
    {
        using var backend = new CpuBackend(1);
        RunConfig config = $"{settings} model.layers=1 model.width=16 model.heads=2 train.batch=2 geometry.enabled=false".Split(' ').Aggregate(new ConfigTree(), (tree, setting) => tree.Set(setting)).Build();
        using TrainSession session = TrainSession.Open(config, backend);
        DetailedEvaluation found = new DetailedEvaluator(session.Model, session.Config, session.Task).Run(0);
        Assert.That(found.Breakdowns.Select(b => b.Axis), Is.EqualTo(new[] { "position", axis }));
        ScoreBin first = found.By(axis)!.Bins[0];
        Assert.That((first.From, first.Targets, first.Loss), Is.EqualTo((0L, found.Targets, found.Loss)).Using<(long, long, double)>((a, b) => a.Item1 == b.Item1 && a.Item2 == b.Item2 && Math.Abs(a.Item3 - b.Item3) < 1e-9), "what is held back is the first group");
    }

    /// <summary>Values whose sign is scored are no labels: there is no accuracy to tell apart.</summary>
    [Test]
    public void ValuesThatArePredictedHaveNoAccuracy()
    {
        using var backend = new CpuBackend(1);
        RunConfig config = "task=folded task.shape=spirals model.layers=1 model.width=16 model.heads=2 train.batch=2 geometry.enabled=false".Split(' ').Aggregate(new ConfigTree(), (tree, setting) => tree.Set(setting)).Build();
        using TrainSession session = TrainSession.Open(config, backend);
        DetailedEvaluation found = new DetailedEvaluator(session.Model, session.Config, session.Task).Run(0);
        Assert.That(found.By("position")!.Bins.Select(bin => bin.Accuracy), Is.All.Null);
        Assert.That(found.Scores.Select(score => score.Name), Does.Contain("accuracy"));
    }

    /// <summary>A column for each score that rows of any length have, by its name.</summary>
    [Test]
    public void CellsOfLongerRowsStandUnderTheirNames()
    {
        ContextEvaluation Of(int factor, params Score[] scores) => new(factor, 8 * factor) { Loss = factor, Scores = scores };
        var found = new DetailedEvaluation
        {
            Version = 1, Step = 1, Task = "t", Name = "t", Unit = "u", Context = 8, Rows = 1, AllRows = 1, Targets = 1, Loss = 1, Scores = [], Breakdowns = [], Seconds = 1,
            Contexts = [Of(1, new Score("a", 0.1), new Score("b", 0.2)), Of(2, new Score("b", 0.3), new Score("c", 0.4)), new ContextEvaluation(4, 32) { WhyNot = "no" }],
        };
        Assert.That(DetailTables.LongerRows(found).Select(row => string.Join('|', row)), Is.EqualTo(new[] { "places|8 (1×)|16 (2×)", "loss|1.0000|2.0000", "a|0.1000|", "b|0.2000|0.3000", "c||0.4000" }));
    }

    /// <summary>What is of other rows would be averaged with what the other runs of a set have: it is not kept.</summary>
    [Test]
    public void AFileOfOtherRowsIsNotReplaced()
    {
        _rig.Train("run", "train.detailedEvaluation=true");
        string path = _rig["run/evaluation.json"];
        RecordFile.Write(path, DetailedEvaluation.Find(_rig["run"])! with { Rows = 3, Targets = 24 });
        byte[] before = File.ReadAllBytes(path);
        CommandLine run = CommandLine.Run("eval", "--threads", "1", "--model", _rig["run"], "--detail");
        Assert.That(run.Error, Does.Contain($"not kept: {path} is of 3 rows after 12 steps, this of "));
        Assert.That(File.ReadAllBytes(path), Is.EqualTo(before));
    }

    /// <summary>What a task tells its places apart by is an axis too, with the accuracy; rows that are longer are made up for their length.</summary>
    [Test]
    public void ATaskIsToldApartByItsGroups()
    {
        using var backend = new CpuBackend(1);
        RunConfig config = new[] { "task=mqar", "task.pairs=2", "task.symbols=16", "task.validationRows=40", "model.context=16", "model.layers=1", "model.width=16", "model.heads=2", "train.batch=2", "geometry.enabled=false" }
            .Aggregate(new ConfigTree(), (tree, setting) => tree.Set(setting)).Build();
        using TrainSession session = TrainSession.Open(config, backend);
        DetailedEvaluation found = new DetailedEvaluator(session.Model, session.Config, session.Task).Run(0);
        Assert.That(found.Breakdowns.Select(b => b.Axis), Is.EqualTo(new[] { "position", "distance" }));
        Assert.That((found.Targets, found.By("distance")!.Bins.Sum(b => b.Targets)), Is.EqualTo((80L, 80L)), "two questions a row");
        Assert.That(found.By("distance")!.Bins.Sum(b => b.Targets * b.Accuracy!.Value) / 80, Is.EqualTo(found.Scores.Single(score => score.Name == "accuracy").Value).Within(1e-9));
        Assert.That(found.Contexts.Select(c => (c.Context, c.Targets, c.WhyNot)), Is.EqualTo(new[] { (16, 80L, (string?)null), (32, 80, null), (64, 80, null) }));
    }

    [Test]
    public void TheCommandShowsAndKeepsIt()
    {
        _rig.Train("run");
        JsonObject result = CommandLine.Json("eval", "--threads", "1", "--model", _rig["run"], "--detail");
        DetailedEvaluation kept = DetailedEvaluation.Find(_rig["run"])!;
        Assert.That(((double?)result["detail"]!["loss"], (double?)result["loss"]), Is.EqualTo((kept.Loss, kept.Loss)));
        Assert.That(result["detail"]!["breakdowns"]!.AsArray().Select(b => (string?)b!["axis"]), Is.EqualTo(new[] { "position", "frequency", "documentPart" }));

        CommandLine run = CommandLine.Run("eval", "--threads", "1", "--model", _rig.Checkpoint("run", 12), "--data", _rig.Write("other.txt", TrainRig.Text[50..]), "--detail");
        string[] lines = run.Standard.Split('\n');
        Assert.That(lines, Has.Some.StartsWith("by document part: tenth of its document").And.Some.EndsWith("32 (4×)"));
        Assert.That(lines, Has.None.StartsWith("by frequency"), "what this text is to the text trained on is not known");
        Assert.That(lines.Max(line => line.Length), Is.LessThanOrEqualTo(80));
    }

    private static void Same(ScoreBreakdown found, (int Place, int Token, double Nats)[] targets, Func<(int Place, int Token, double Nats), long> number, (long From, long To)[] bins)
    {
        ScoreBin[] expected =
        [
            .. bins.Select(bin => (bin, Of: targets.Where(t => number(t) >= bin.From && number(t) <= bin.To).Select(t => t.Nats).ToArray()))
                .Where(bin => bin.Of.Length > 0).Select(bin => new ScoreBin(bin.bin.From, bin.bin.To, bin.Of.Length, bin.Of.Average())),
        ];
        Assert.That(found.Bins.Select(b => (b.From, b.To, b.Targets)), Is.EqualTo(expected.Select(b => (b.From, b.To, b.Targets))), found.Axis);
        Assert.That(found.Bins.Select(b => b.Loss), Is.EqualTo(expected.Select(b => b.Loss)).Within(1e-6), found.Axis);
        Assert.That(found.Bins.Select(b => b.BitsPerByte), Is.EqualTo(expected.Select(b => b.Loss / Math.Log(2))).Within(1e-6), found.Axis);
    }

    // Every target of the held-back text in order: its place among them, the token, its nats.
    private static IEnumerable<(int Place, int Token, double Nats)> Nats(TrainSession session)
    {
        var score = new Collect();
        using var evaluator = new Evaluator(session.Model, session.Task, new BatchShape(4, 8), 0, default, null, score, []);
        evaluator.Run();
        return score.Targets.Select((t, place) => (place, t.Token, (double)t.Nats));
    }

    private sealed class Collect : TaskScore
    {
        public List<(int Token, float Nats)> Targets { get; } = [];

        public override void Begin() => Targets.Clear();

        public override void Add(BatchRows batch, ScoredValues scored)
        {
            for (int i = 0; i < scored.Reals(0).Length; i++)
            {
                if (batch.Integers(BatchField.Targets)[i] >= 0)
                {
                    Targets.Add((batch.Integers(BatchField.Targets)[i], scored.Reals(0)[i]));
                }
            }
        }

        public override Evaluation Result() => default;
    }
}
