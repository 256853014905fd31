using System.Globalization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Tasks;

/// <summary>What holds for every task that is made up.</summary>
public sealed class TaskSuite : EngineTests
{
    private const int Rows = 8;

    private static IEnumerable<string> Kinds => Tasks.Select(data => ((GeneratedTaskConfig)data.Arguments[0]!).Kind);

    // Every kind, small, with the length of rows that it is used with.
    private static IEnumerable<TestCaseData> Tasks => ConfigSchema.Kinds(typeof(TaskConfig))
        .Where(kind => kind.Type.IsAssignableTo(typeof(GeneratedTaskConfig)) && kind.Type.GetProperty("Tiny") is not null)
        .Select(kind => new TestCaseData((GeneratedTaskConfig)kind.Type.GetProperty("Tiny")!.GetValue(null)!).SetArgDisplayNames(kind.Kind));

    [TestCaseSource(nameof(Tasks))]
    public void RowsArePureFunctionsOfTheirKeys(GeneratedTaskConfig config)
    {
        using LearningTask task = Open(config, seed: 3), other = Open(config, seed: 4);
        string[] rows = Shown(task, Time(config), TaskSplit.Training, Rows, step: 5);
        Assert.That(Shown(task, Time(config), TaskSplit.Training, Rows, step: 5), Is.EqualTo(rows));
        Assert.That(Shown(task, Time(config), TaskSplit.Training, Rows, step: 6), Is.Not.EqualTo(rows));
        Assert.That(Shown(other, Time(config), TaskSplit.Training, Rows, step: 5), Is.Not.EqualTo(rows));
        Assert.That(Shown(other, Time(config), TaskSplit.Validation, 4), Is.EqualTo(Shown(task, Time(config), TaskSplit.Validation, 4)), "what is held back is the same for every seed");
        Assert.That(rows, Is.All.Not.Empty);
    }

    [TestCaseSource(nameof(Tasks))]
    public void SymbolsAreOfTheVocabularyAndTargetsAreCounted(GeneratedTaskConfig config)
    {
        using LearningTask task = Open(config, seed: 3);
        var batch = new BatchRows(task.Fields(Time(config)), Rows);
        foreach (TaskSplit split in Enum.GetValues<TaskSplit>())
        {
            if (split == TaskSplit.Training)
            {
                batch.Fill(task, step: 1, microBatch: 0);
            }
            else
            {
                batch.Fill(task, split, 0, Rows, Rows);
            }

            int[] targets = batch.Integers(BatchField.Targets).ToArray();
            Assert.That(targets.Count(target => target >= 0), Is.EqualTo(batch.Targets).And.GreaterThan(0));
            if (task.Vocab > 0)
            {
                Assert.That(batch.Integers(BatchField.Tokens).ToArray(), Is.All.InRange(0, task.Vocab - 1));
                Assert.That(targets, Is.All.InRange(-1, task.Vocab - 1));
            }

            Assert.That(task.GroupedBy is null, Is.EqualTo(batch.Integers(BatchField.Groups).IsEmpty));
            Assert.That(batch.Integers(BatchField.Groups).ToArray().Zip(targets, (group, target) => group < 0 || target >= 0), Is.All.True, "what has a group is asked for");
            Assert.That(
                batch.Integers(BatchField.Groups).ToArray().Zip(targets, (group, target) => split != TaskSplit.Validation || target < 0 || group >= 0), Is.All.True,
                "what is asked for to validate has a group");
        }
    }

    [TestCaseSource(nameof(Tasks))]
    public void FillingARowAllocatesNothing(GeneratedTaskConfig config)
    {
        using LearningTask task = Open(config, seed: 3);
        var batch = new BatchRows(task.Fields(Time(config)), Rows);
        batch.Fill(task, 0, 0);
        long before = GC.GetAllocatedBytesForCurrentThread();
        batch.Fill(task, 1, 0);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    /// <summary>So that tables may set a model's scores beside the best ones and those of guessing.</summary>
    [TestCaseSource(nameof(Tasks))]
    public void BestAndGuessedScoresAreNamedLikeThoseOfAModelAndEncloseIt(GeneratedTaskConfig config)
    {
        using LearningTask task = Open(config, seed: 3);
        using var model = new Transformer(Model(config), Backend());
        using var evaluator = new Evaluator(model, task, new BatchShape(3, Time(config)));
        Evaluation evaluation = evaluator.Run();
        Score[] figures = [.. evaluation.Figures];
        IEnumerable<Score> named = [.. task.Best(), .. task.Guessing(), .. task.Baselines().SelectMany(baseline => baseline.Scores)];
        Assert.That(named.Select(score => score.Name).Distinct(), Is.SubsetOf(figures.Select(figure => figure.Name)));
        Assert.That(figures.Concat(named).Select(score => score.Value), Is.All.Matches<double>(double.IsFinite));
        foreach (Score best in task.Best())
        {
            double found = figures.First(figure => figure.Name == best.Name).Value;
            Assert.That(best.Name is "keys" or "allowed" || best.Name.EndsWith("ccuracy", StringComparison.Ordinal) ? best.Value - found : found - best.Value, Is.GreaterThanOrEqualTo(-1e-5), best.Name);
            Assert.That(task.Guessing().FirstOrDefault(score => score.Name == best.Name), Is.Not.EqualTo(best), best.Name);
        }
    }

    /// <summary>A model may have tokens that a task has not, and find them most likely.</summary>
    [TestCaseSource(nameof(Tasks))]
    public void AModelOfMoreTokensIsScored(GeneratedTaskConfig config)
    {
        using LearningTask task = Open(config, seed: 3);
        ModelConfig own = Model(config) with { Initialization = null }, larger = own with { Vocab = 4 * own.Vocab };
        using var model = new Transformer(task.Vocab > 0 && !config.Validate(larger, "task").Any() ? larger : own, Backend());
        using var evaluator = new Evaluator(model, task, new BatchShape(3, Time(config)));
        Assert.That(evaluator.Run().Figures.Select(figure => figure.Value), Is.All.Matches<double>(double.IsFinite));
    }

    /// <summary>Trained, evaluated, told apart and shown, or a line that names what does not suit: what a user gives is no fault of this program.</summary>
    [Test]
    public void UnusualSettingsHaveAResultOrALine(
        [ValueSource(nameof(Kinds))] string kind, [Values("model.context=1", "task.validationRows=0", "model.vocab=9999", "model.vocab=1")] string unusual)
    {
        string[] settings =
        [
            $"task={kind}", "task.validationRows=3", "model.layers=1", "model.width=8", "model.heads=2", "train.steps=2", "train.batch=2", "train.evaluationWindows=3", "geometry.enabled=false", unusual,
        ];
        RunConfig run;
        try
        {
            run = settings.Aggregate(new ConfigTree(), (tree, setting) => tree.Set(setting)).Build();
        }
        catch (ConfigException e)
        {
            Assert.That(e.Message, Does.StartWith($"{unusual.Split('=')[0]}: ").And.Not.Contain("\n"));
            Assert.That(unusual, Is.Not.EqualTo("task.validationRows=0"));
            return;
        }

        Assert.That(unusual, Is.Not.EqualTo("model.vocab=1"), "too few for every task");
        using TrainSession session = TrainSession.Open(run, Backend());
        TrainSummary summary = new TrainLoop(session).Run();
        LearningTask task = session.Task;
        bool holdsBack = task.Places(TaskSplit.Validation) > 0;
        Assert.That((summary.Validation is not null, holdsBack), Is.EqualTo((holdsBack, unusual != "task.validationRows=0")));
        DetailedEvaluation? detailed = holdsBack ? new DetailedEvaluator(session.Model, run, task).Run(2) : null;
        IEnumerable<Score> known = [.. task.Best(), .. task.Guessing(), .. task.Baselines().SelectMany(baseline => baseline.Scores)];
        Assert.That(
            known.Concat(summary.Validation?.Figures ?? []).Concat(detailed?.Scores ?? []).Select(score => score.Value).Append(summary.TrainLoss).Append(detailed?.Loss ?? 0),
            Is.All.Matches<double>(double.IsFinite));
        Assert.That(task.Describe().Concat(task.Show(TaskRows.First(run, task, TaskSplit.Training, 1).Row(0))), Is.All.Not.Empty);
    }

    /// <summary>Without any more settings.</summary>
    [TestCaseSource(nameof(Tasks))]
    public void EachCanBeTrainedByItsName(GeneratedTaskConfig config)
    {
        RunConfig run = new ConfigTree().Set($"task={config.Kind}").Build();
        using LearningTask task = run.Task.Open(TrainData.ContextOf(run));
        BatchRows rows = TaskRows.First(run, task, TaskSplit.Training, 1);
        Assert.That(rows.Targets, Is.GreaterThan(0));
        Assert.That(run.Model.Vocab, Is.EqualTo(task.Vocab));
        Assert.That(task.Describe().Concat(task.Show(rows.Row(0))), Is.All.Not.Empty);
        Assert.That(new ConfigTree().AddJson(run.ToJson(), "again").Build().ToJson(), Is.EqualTo(run.ToJson()));
    }

    private static int Time(GeneratedTaskConfig config) => Math.Max(16, config.UsualContext ?? 16);

    private static ModelConfig Model(GeneratedTaskConfig config)
        => config.Fit(new ModelConfig { Layers = 1, Width = 8, Heads = 2, Context = Time(config), Initialization = Engine.Modules.InitializationKind.Zero }).Resolve();

    private static LearningTask Open(GeneratedTaskConfig config, ulong seed) => config.Open(new TaskContext { Model = Model(config), Seed = seed });

    // All numbers of each row.
    private static string[] Shown(LearningTask task, int time, TaskSplit split, int rows, long step = 0)
    {
        var batch = new BatchRows(task.Fields(time), rows);
        if (split == TaskSplit.Training)
        {
            batch.Fill(task, step, 0);
        }
        else
        {
            batch.Fill(task, split, 0, rows, rows);
        }

        return
        [
            .. Enumerable.Range(0, rows).Select(row => string.Join(' ', batch.Fields.SelectMany(field => field.Type == DType.Int32
                ? batch.Row(row).Integers(field.Name).ToArray().Select(number => number.ToString(CultureInfo.InvariantCulture))
                : batch.Row(row).Reals(field.Name).ToArray().Select(number => number.ToString(CultureInfo.InvariantCulture))))),
        ];
    }
}
