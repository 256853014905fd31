using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Tasks;

/// <summary>What holds for every task that is made up, whatever its kind.</summary>
public sealed class TaskSuite : EngineTests
{
    private const int Rows = 3;

    private static IEnumerable<TestCaseData> Tasks => Variant.Of<TaskConfig>()
        .Where(kind => kind.Type.IsAssignableTo(typeof(GeneratedTaskConfig)))
        .Select(kind => new TestCaseData(kind.Type.GetProperty("Tiny")?.GetValue(null) ?? Activator.CreateInstance(kind.Type)).SetArgDisplayNames(kind.Kind));

    [TestCaseSource(nameof(Tasks))]
    public void RowsFollowFromSeedsAndHoldWhatTheySay(GeneratedTaskConfig config)
    {
        int time = Model(config).Context;
        using LearningTask task = Open(config, seed: 3), other = Open(config, seed: 4);
        BatchRows held = Fill(task, TaskSplit.Validation, time), trained = Fill(task, TaskSplit.Training, time);
        Assert.That(Content(Fill(other, TaskSplit.Validation, time)), Is.EqualTo(Content(held)), "what is held back is the same for every seed");
        Assert.That(Content(Fill(task, TaskSplit.Training, time)), Is.EqualTo(Content(trained)));
        foreach (BatchRows batch in new[] { held, trained })
        {
            int[] targets = batch.Integers(BatchField.Targets).ToArray();
            Assert.That((batch.Targets, targets.Min() >= -1), Is.EqualTo((targets.Count(target => target >= 0), true)));
            Assert.That(batch.Targets, Is.Positive);
            Assert.That(batch.Integers(BatchField.Tokens).ToArray(), Is.Empty.Or.All.InRange(0, task.Vocab - 1));
            Assert.That(targets.Max(), Is.LessThan(Math.Max(1, task.Vocab)));
            if (task.GroupedBy is not null)
            {
                Assert.That(batch.Integers(BatchField.Groups).ToArray().Where((_, t) => batch == held && targets[t] >= 0), Is.All.Not.Negative);
            }
        }

        string[] lines = [.. task.Describe(), .. task.Show(held.Row(0))];
        Assert.That(lines, Is.Not.Empty.And.All.Not.Empty);
    }

    [TestCaseSource(nameof(Tasks))]
    public void FillingARowAllocatesNothing(GeneratedTaskConfig config)
    {
        using LearningTask task = Open(config, seed: 3);
        BatchRows batch = Fill(task, TaskSplit.Training, Model(config).Context);
        batch.Fill(task, 1, 0);
        long before = GC.GetAllocatedBytesForCurrentThread();
        batch.Fill(task, 2, 0);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [TestCaseSource(nameof(Tasks))]
    public void TheBestAndGuessingAreScoresThatAnEvaluationHas(GeneratedTaskConfig config)
    {
        using LearningTask task = Open(config, seed: 3);
        using var model = new Transformer(Model(config), Backend());
        using var evaluator = new Evaluator(model, task, new BatchShape(Rows, Model(config).Context));
        Evaluation evaluation = evaluator.Run();
        Dictionary<string, double> figures = evaluation.Figures.ToDictionary(figure => figure.Name, figure => figure.Value);
        Assert.That(figures.Values, Is.All.Matches<double>(double.IsFinite));
        Assert.That(task.Best().Concat(task.Guessing()).Select(score => score.Name).Distinct(), Is.SubsetOf(figures.Keys));
        Assert.That(task.Best().Where(score => score.Name == "loss").Select(score => score.Value), Is.All.LessThanOrEqualTo(evaluation.Loss));
    }

    private static ModelConfig Model(GeneratedTaskConfig config) => config.Fit(new ModelConfig
    {
        Layers = 1, Width = 8, Heads = 2, Context = Math.Max(14, (config as LabelledTaskConfig)?.LeastContext ?? 1), Initialization = InitializationKind.Zero,
    });

    private static LearningTask Open(GeneratedTaskConfig config, ulong seed) => config.Open(new TaskContext { Model = Model(config), Seed = seed });

    private static BatchRows Fill(LearningTask task, TaskSplit split, int time)
    {
        var batch = new BatchRows(task.Fields(time), Rows);
        if (split == TaskSplit.Training)
        {
            batch.Fill(task, step: 5, microBatch: 0);
        }
        else
        {
            batch.Fill(task, split, 0, Rows, Rows);
        }

        return batch;
    }

    private static string Content(BatchRows batch) => string.Join('|', batch.Fields.Select(field => field.Type == NanoFold.Kernels.DType.Int32
        ? string.Join(' ', batch.Integers(field.Name).ToArray())
        : string.Join(' ', batch.Reals(field.Name).ToArray())));
}
