using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Tasks;

/// <summary>The tasks of recall and of languages: how long rows are, what is refused, what is scored.</summary>
public sealed class SyntheticTaskTests : EngineTests
{
    private static readonly ModelConfig s_model = new() { Layers = 1, Width = 8, Heads = 2, Context = 16, Initialization = InitializationKind.Zero };

    /// <summary>A preset's context is that of text, so that the task's goes before it, and whatever is set before that.</summary>
    [TestCase("text", null, 64)]
    [TestCase("modular-addition", null, 64)]
    [TestCase("recall", null, 128)]
    [TestCase("parity", null, 32)]
    [TestCase("""{"kind": "mqar", "pairs": 8}""", null, 128)]
    [TestCase("""{"kind": "mqar", "pairs": 8}""", "model.context=40", 40)]
    [TestCase("recall", "preset=small", 128)]
    public void RowsAreAsLongAsPublishedWhereNobodySaysHowLong(string task, string? setting, int context)
    {
        ConfigTree tree = new ConfigTree(setting == "preset=small" ? "small" : null).Set($"task={task}");
        RunConfig config = (setting is null or "preset=small" ? tree : tree.Set(setting)).Build();
        Assert.That(config.Model.Context, Is.EqualTo(context));
        Assert.That(new ConfigTree().AddJson(config.ToJson(), "again").Build().Model.Context, Is.EqualTo(context));
    }

    [Test]
    public void WhatDoesNotSuitIsToldInALine()
    {
        Assert.That(Problem(new MqarConfig { Pairs = 5 }), Is.EqualTo("model.context: 16 is less than the 20 places that task.pairs = 5 takes"));
        Assert.That(Problem(new MqarConfig { Pairs = 3, Updates = 3 }), Is.EqualTo("model.context: 16 is less than the 18 places that task.pairs = 3 takes with task.updates = 3"));
        Assert.That(Problem(new MqarConfig { Symbols = 8 }), Is.EqualTo("task.pairs: 4 is more than the keys and values that task.symbols = 8 has"));
        Assert.That(Problem(new MqarConfig { Pairs = 2, Updates = 3, Composed = true }), Is.EqualTo("task.pairs: 2 is not a square, as task.composed needs\ntask.updates: task.composed has none; use 0"));
        Assert.That(Problem(new MqarConfig { Updates = 5 }, s_model with { Context = 64 }), Is.EqualTo("task.updates: 5 is more than task.pairs = 4"));
        Assert.That(Problem(new NoisyRecallConfig(), s_model with { Vocab = 31 }), Is.EqualTo("model.vocab: 31 is less than the 32 symbols of task.symbols = 16 and task.noiseSymbols = 16; leave it out"));
        Assert.That(Problem(new RecallConfig(), s_model with { Visibility = VisibilityKind.Full }), Is.EqualTo("model.visibility: \"full\" shows tokens what they are to predict; use causal"));
        Assert.That(Problem(new RecallConfig(), s_model with { Visibility = VisibilityKind.Prefix }), Is.EqualTo("model.visibility: rows of \"recall\" have no prefix; use causal"));
        Assert.That(Problem(new FuzzyRecallConfig { KeyMotif = 8, Symbols = 16 }, s_model with { Context = 64 }), Is.EqualTo("task.keyMotif: 8 different tokens are more than the 7 that task.symbols = 16 has for it"));
        Assert.That(Problem(new RegularLanguagesConfig { Symbols = 4, LeastStates = 13 }), Is.EqualTo(
            "task.edges: 4 is more than the 3 symbols of strings that task.symbols = 4 has\ntask.leastStates: 13 is more than task.mostStates = 12"));
        Assert.That(Problem(new CompressConfig(), s_model with { Vocab = 300 }), Is.EqualTo(
            "model.vocab: 300 is not 256, the task.symbols = 16 of each of the 16 places that are read from the last one; leave it out"));
        Assert.That(Problem(new InductionConfig(), s_model with { Inputs = 2 }), Is.EqualTo("model.inputs: \"induction\" is of tokens; leave it out"));
    }

    [TestCase("reachability", "rows have a length of their own")]
    [TestCase("compress", "the head has a part for each of the 32 places it was trained with")]
    [TestCase("parity", null)]
    public void LongerRowsOfSomeTasksSayNothing(string task, string? reason)
    {
        RunConfig config = new ConfigTree().Set($"task={task}").Set("model.layers=1").Set("model.width=8").Set("model.heads=1").Build();
        using LearningTask opened = config.Task.Open(TrainData.ContextOf(config));
        using var model = new Transformer(config.Model.Resolve(), Backend());
        Assert.That(LongerRows.WhyNot(LongerRows.Of(config, 2 * config.Model.Context), model, opened), Is.EqualTo(reason));
    }

    [TestCase(0.5)]
    [TestCase(0.1)]
    public void WhoKnowsHowOftenABitIsOneGuessesParity(double ones)
    {
        using LearningTask task = Open(new ParityConfig { Ones = ones }, s_model);
        // The share of even numbers among the first t bits, as a recurrence.
        double even = 1, nats = 0, right = 0;
        for (int t = 0; t < 16; t++)
        {
            even = (even * (1 - ones)) + ((1 - even) * ones);
            (nats, right) = (nats - (even * Math.Log(even)) - ((1 - even) * Math.Log(1 - even)), right + Math.Max(even, 1 - even));
        }

        Assert.That(task.Guessing()[0].Value, Is.EqualTo(nats / 16).Within(1e-12));
        Assert.That(task.Guessing()[1].Value, Is.EqualTo(right / 16).Within(1e-12));
    }

    [Test]
    public void TheValuesOfARowAreFewerThanAll()
    {
        using LearningTask task = Open(new MqarConfig { Pairs = 3, Updates = 1 }, s_model);
        Assert.That(task.Guessing()[1].Value, Is.EqualTo(1.0 / 4096));
        Assert.That(task.Baselines().Single().Scores, Is.EqualTo(new[] { new Score("loss", Math.Log(4)), new Score("accuracy", 0.25) }));
    }

    /// <summary>A model may be evaluated on rows of another length than it was trained with.</summary>
    [TestCase(16)]
    [TestCase(100)]
    public void SlotsReachOverRowsOfAnyLength(int time)
    {
        using LearningTask task = Open(new MqarConfig { Power = 1 }, s_model with { Context = 32 });
        var rows = new BatchRows(task.Fields(time), 100);
        rows.Fill(task, TaskSplit.Validation, 0, 100, 100);
        int[] asked = [.. Enumerable.Range(0, 100 * time).Where(t => rows.Integers(BatchField.Targets)[t] >= 0).Select(t => t % time)];
        Assert.That(asked, Has.Length.EqualTo(400));
        Assert.That((asked.Min(), asked.Max()), Is.EqualTo((8, time - 2)), "with a power of 1 all slots are alike");
    }

    [Test]
    public void WhoKnowsTheLanguageIsOnlyUnsureAmongItsEdges()
    {
        var config = new RegularLanguagesConfig { ValidationRows = 40 };
        using LearningTask task = Open(config, s_model with { Context = 256 });
        var rows = new BatchRows(task.Fields(256), 40);
        rows.Fill(task, TaskSplit.Validation, 0, 40, 40);
        double nats = 0;
        int places = 0, edges = 0;
        for (int row = 0; row < 40; row++)
        {
            int[] tokens = rows.Row(row).Integers(BatchField.Tokens).ToArray(), targets = rows.Row(row).Integers(BatchField.Targets).ToArray();
            int[] allowed = rows.Row(row).Integers("allowed").ToArray(), strings = rows.Row(row).Integers(BatchField.Groups).ToArray();
            Assert.That(tokens[0], Is.EqualTo(19));
            int first = allowed[0];
            for (int t = 0; t < 256; t++)
            {
                if (targets[t] < 0)
                {
                    Assert.That((t + 1 < 256 ? tokens[t + 1] : 19, allowed[t]), Is.EqualTo((19, -1)), "only the end of a string is not asked for");
                    continue;
                }

                Assert.That(allowed[t] >> targets[t] & 1, Is.EqualTo(1));
                Assert.That(t + 1 == 256 || tokens[t + 1] == targets[t]);
                Assert.That(tokens[t] != 19 || allowed[t] == first, "all strings begin in the same state");
                Assert.That(strings[t], Is.EqualTo(tokens[..(t + 1)].Count(token => token == 19) - 1));
                Assert.That(int.PopCount(allowed[t]), Is.InRange(1, 4));
                (nats, places, edges) = (nats + Math.Log(int.PopCount(allowed[t])), places + 1, edges + int.PopCount(allowed[t]));
            }
        }

        Assert.That(edges / (double)places, Is.EqualTo(2.5).Within(0.3), "edges of a state are 1 to 4, and states with few are not rarer");
        Assert.That(task.Best().ToDictionary(score => score.Name, score => score.Value)["loss"], Is.EqualTo(nats / places).Within(1e-12));
    }

    /// <summary>With a head of zeros every symbol is alike, and the first is taken.</summary>
    [Test]
    public void LanguagesAreScoredByWhatTheyAllow()
    {
        var config = new RegularLanguagesConfig { ValidationRows = 5 };
        Evaluation evaluation = Evaluate(config);
        using LearningTask task = Open(config, s_model);
        var rows = new BatchRows(task.Fields(16), 5);
        rows.Fill(task, TaskSplit.Validation, 0, 5, 5);
        int[] allowed = [.. rows.Integers("allowed").ToArray().Where(bits => bits >= 0)];
        double variation = allowed.Average(bits => 1 - (int.PopCount(bits) / 20.0));
        Assert.That(evaluation.Loss, Is.EqualTo(Math.Log(20)).Within(1e-6));
        Assert.That(evaluation.Scores!.Select(score => score.Name), Is.EqualTo(new[] { "accuracy", "allowed", "totalVariation" }));
        Assert.That(evaluation.Scores![1].Value, Is.EqualTo(allowed.Average(bits => bits & 1)));
        Assert.That(evaluation.Scores![2].Value, Is.EqualTo(variation).Within(1e-6));
    }

    /// <summary>The head has a part for each place, and all of them read the last place alone.</summary>
    [Test]
    public void ACompressedRowIsReadFromItsLastPlace()
    {
        Assert.That(new CompressConfig().Fit(s_model).Vocab, Is.EqualTo(16 * 16));
        Evaluation evaluation = Evaluate(new CompressConfig { ValidationRows = 3 });
        Assert.That((evaluation.Tokens, evaluation.Loss), Is.EqualTo((48L, Math.Log(16))).Using<(long, double)>((a, b) => a.Item1 == b.Item1 && Math.Abs(a.Item2 - b.Item2) < 1e-6));

        using LearningTask task = Open(new CompressConfig { ValidationRows = 2 }, s_model);
        using var model = new Transformer(new CompressConfig().Fit(s_model with { Initialization = null }), Backend());
        using var evaluator = new Evaluator(model, task, new BatchShape(2, 16));
        Collector logits = new("hook_logits"), stream = new("ln_final.hook_normalized");
        evaluator.Run(new TapSet([logits, stream], []));
        Assert.That(logits.Read.Single().Shape, Is.EqualTo(new[] { 2, 1, 256 }));
        double[] head = Host.Read(model.Backend, model.Store.Values(model.Store["lm_head.weight"]));
        double[] last = stream.Read.Single().Values[(31 * 8)..];
        Assert.That(logits.Read.Single().Values[^1], Is.EqualTo(head[^8..].Zip(last, (w, x) => w * x).Sum()).Within(1e-5));
    }

    private static string Problem(TaskConfig task, ModelConfig? model = null) => string.Join('\n', task.Validate(model ?? s_model, "task"));

    private static LearningTask Open(GeneratedTaskConfig config, ModelConfig model) => config.Open(new TaskContext { Model = config.Fit(model), Seed = 5 });

    private Evaluation Evaluate(GeneratedTaskConfig config)
    {
        using LearningTask task = Open(config, s_model);
        using var model = new Transformer(config.Fit(s_model), Backend());
        using var evaluator = new Evaluator(model, task, new BatchShape(2, s_model.Context));
        return evaluator.Run();
    }
}
