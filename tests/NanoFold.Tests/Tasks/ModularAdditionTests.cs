using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Tasks;

/// <summary>Addition modulo p: its rows, the pairs that are held back, and accuracy.</summary>
public class ModularAdditionTests : EngineTests
{
    // Three problems a row and a place that is left over.
    private const int Modulus = 7, Time = 10, Problems = 3;

    private static readonly ModelConfig s_model = new() { Layers = 1, Width = 8, Heads = 2, Context = Time, Initialization = InitializationKind.Zero };

    private static ModularAdditionConfig Config => new() { Modulus = Modulus, TrainShare = 0.6 };

    [Test]
    public void LabelsAreSumsAndProblemsAreDocuments()
    {
        BatchRows batch = Fill(TaskSplit.Training, 50);
        Assert.That(batch.Targets, Is.EqualTo(50 * Problems));
        for (int row = 0; row < 50; row++)
        {
            int[] tokens = batch.Integers(BatchField.Tokens)[(row * Time)..((row + 1) * Time)].ToArray();
            int[] targets = batch.Integers(BatchField.Targets)[(row * Time)..((row + 1) * Time)].ToArray();
            Assert.That(batch.Integers(BatchField.Documents)[(row * Time)..((row + 1) * Time)].ToArray(), Is.EqualTo(new[] { 0, 0, 0, 1, 1, 1, 2, 2, 2, -1 }));
            for (int at = 0; at < 9; at += 3)
            {
                Assert.That(tokens[at + 2], Is.EqualTo(Modulus));
                Assert.That(targets[at..(at + 3)], Is.EqualTo(new[] { -1, -1, (tokens[at] + tokens[at + 1]) % Modulus }));
            }

            Assert.That(targets[9], Is.EqualTo(-1));
        }
    }

    [Test]
    public void EachPairIsTrainedOnOrHeldBackAndThenAskedForOnce()
    {
        (int, int)[] heldBack = Pairs(Fill(TaskSplit.Validation, 7));
        Assert.That(heldBack, Has.Length.EqualTo(49 - 29).And.Unique);
        (int, int)[] trained = [.. Pairs(Fill(TaskSplit.Training, 400)).Distinct()];
        Assert.That(trained, Has.Length.EqualTo(29));
        Assert.That(trained.Intersect(heldBack), Is.Empty);
        using LearningTask task = Open(Config);
        Assert.That(task.Rows(TaskSplit.Validation, Time), Is.EqualTo(7), "no more than it takes");
        using LearningTask few = Open(Config with { ValidationRows = 2 });
        Assert.That(few.Rows(TaskSplit.Validation, Time), Is.EqualTo(2));
        Assert.That(Pairs(Fill(TaskSplit.Validation, 7, Config with { SplitSeed = 2 })), Is.Not.EquivalentTo(heldBack));
    }

    [Test]
    public void WhatIsTrainedOnIsScoredBesidesWhereAskedFor()
    {
        ModularAdditionConfig config = Config with { ScoreTrained = true };
        using LearningTask task = Open(config);
        int rows = (int)task.Rows(TaskSplit.Validation, Time);
        BatchRows batch = Fill(TaskSplit.Validation, rows, config);
        (int, int)[] pairs = Pairs(batch), heldBack = Pairs(Fill(TaskSplit.Validation, 7)), trained = [.. Pairs(Fill(TaskSplit.Training, 400)).Distinct()];
        int[] groups = [.. batch.Integers(BatchField.Groups).ToArray().Where(group => group >= 0)];
        Assert.That(pairs.Where((_, i) => groups[i] == 0), Is.EqualTo(heldBack), "the same pairs, each once");
        (int, int)[] besides = [.. pairs.Where((_, i) => groups[i] == 1)];
        Assert.That(besides, Is.SubsetOf(trained).And.Unique);
        Assert.That(besides, Has.Length.EqualTo(rows), "one of the three problems of a row");

        using var model = new Transformer(config.Fit(s_model), Backend());
        using var evaluator = new Evaluator(model, task, new BatchShape(3, Time));
        Evaluation evaluation = evaluator.Run();
        double Share(int of) => pairs.Where((_, i) => groups[i] == of).Average(pair => (pair.Item1 + pair.Item2) % Modulus == 0 ? 1.0 : 0);
        Assert.That((evaluation.Tokens, evaluation.Scores![0], evaluation.Scores![1]), Is.EqualTo((20L, new Score("accuracy", Share(0)), new Score("trainedAccuracy", Share(1)))));
        Assert.That(RegressionTests.Problem(config, s_model with { Context = 5 }), Is.EqualTo("model.context: 5 is less than the 6 places of the two problems that task.scoreTrained needs"));
    }

    [Test]
    public void AModelThatKnowsNothingIsRightByChance()
    {
        using LearningTask task = Open(Config);
        using var model = new Transformer(Config.Fit(s_model), Backend());
        using var evaluator = new Evaluator(model, task, new BatchShape(3, Time));
        Evaluation evaluation = evaluator.Run();
        // A head of zeros finds all alike, and takes the first.
        double right = Pairs(Fill(TaskSplit.Validation, 7)).Count(pair => (pair.A + pair.B) % Modulus == 0) / 20.0;
        Assert.That((evaluation.Tokens, evaluation.Scores!.Single()), Is.EqualTo((20L, new Score("accuracy", right))));
        Assert.That(evaluation.Loss, Is.EqualTo(Math.Log(Modulus + 1)).Within(1e-6));
        Assert.That(evaluation.Shortfall, Is.EqualTo(1 - right));
    }

    [Test]
    public void WhatDoesNotSuitIsToldInALine()
    {
        Assert.That(RegressionTests.Problem(Config, s_model with { Context = 2 }), Is.EqualTo("model.context: 2 is less than the 3 places of a problem"));
        Assert.That(RegressionTests.Problem(Config, s_model with { Vocab = 7 }), Is.EqualTo("model.vocab: 7 is less than the 8 symbols of task.modulus = 7; leave it out"));
        Assert.That(RegressionTests.Problem(Config, s_model with { Visibility = VisibilityKind.Prefix }), Is.EqualTo("model.visibility: rows of \"modular-addition\" have no prefix; use causal or full"));
        Assert.That(RegressionTests.Problem(Config, s_model with { Outputs = 1 }), Is.EqualTo("model.outputs: \"modular-addition\" is of tokens; leave it out"));
        Assert.That(Config.Validate(Config.Fit(s_model), "task"), Is.Empty);
        Assert.That((Config.Fit(s_model).Vocab, Config.Fit(s_model with { Vocab = 30 }).Vocab), Is.EqualTo((8, 30)));
    }

    private static LearningTask Open(ModularAdditionConfig config) => config.Open(new TaskContext { Model = config.Fit(s_model), Seed = 9 });

    private static BatchRows Fill(TaskSplit split, int rows, ModularAdditionConfig? config = null)
    {
        using LearningTask task = Open(config ?? Config);
        var batch = new BatchRows(task.Fields(Time), rows);
        if (split == TaskSplit.Training)
        {
            batch.Fill(task, step: 4, microBatch: 0);
        }
        else
        {
            batch.Fill(task, split, 0, rows, rows);
        }

        return batch;
    }

    private static (int A, int B)[] Pairs(BatchRows batch)
    {
        int[] tokens = batch.Integers(BatchField.Tokens).ToArray(), targets = batch.Integers(BatchField.Targets).ToArray();
        return [.. Enumerable.Range(0, targets.Length).Where(i => targets[i] >= 0).Select(i => (tokens[i - 2], tokens[i - 1]))];
    }
}
