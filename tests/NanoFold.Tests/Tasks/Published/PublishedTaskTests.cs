using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Tasks.Published;

/// <summary>Rows of the tasks of recall are made as the published generators make theirs: the same rules hold for both, and what is left to chance has the same means.</summary>
[Category("Published")]
public sealed class PublishedTaskTests
{
    private const string Folder = "peers/tasks";

    private static readonly PublishedTask[] s_tasks =
    [
        Mqar(64, 4),
        Mqar(128, 8),
        Mqar(256, 16),
        Mqar(512, 64),
        new("mqar-64-4-plain", new MqarConfig { Distractors = false }, 64, () => new MqarRules(8192, 4, updates: 0, distractors: false)),
        new("forgetting-mqar-64-4-2", new MqarConfig { Updates = 2, Distractors = false }, 64, () => new MqarRules(8192, 4, updates: 2, distractors: false)),
        new("compositional-mqar", new MqarConfig { Pairs = 9, Composed = true, Distractors = false }, 128, () => new ComposedMqarRules(8192, 3)),
        new("cumulative-parity-32", new ParityConfig(), 32, () => new ParityRules()),
        new("recall-train", new RecallConfig { SingleQuery = true }, 128, () => new RecallRules(15, 0, singleQuery: true, training: true), TaskSplit.Training),
        new("recall-test", new RecallConfig { SingleQuery = true }, 128, () => new RecallRules(15, 0, singleQuery: true, training: false)),
        new("recall-multiquery-train", new RecallConfig(), 127, () => new RecallRules(16, 0, singleQuery: false, training: true), TaskSplit.Training),
        new("recall-multiquery-test", new RecallConfig(), 127, () => new RecallRules(16, 0, singleQuery: false, training: false)),
        new("noisy-recall-train", new NoisyRecallConfig(), 127, () => new RecallRules(16, 16, singleQuery: false, training: true), TaskSplit.Training),
        new("noisy-recall-test", new NoisyRecallConfig(), 127, () => new RecallRules(16, 16, singleQuery: false, training: false)),
        new("fuzzy-recall-train", new FuzzyRecallConfig(), 128, () => new FuzzyRecallRules(16, 3, training: true), TaskSplit.Training),
        new("fuzzy-recall-test", new FuzzyRecallConfig(), 128, () => new FuzzyRecallRules(16, 3, training: false)),
        new("memorization-train", new MemorizeConfig(), 32, () => new MemorizeRules(256), TaskSplit.Training),
        new("compression-train", new CompressConfig(), 32, () => new CompressRules(16), TaskSplit.Training),
        new("selective-copying-train", new SelectiveCopyConfig(), 256, () => new CopyRules(16, 16, scattered: true), TaskSplit.Training),
        new("copying-train", new SelectiveCopyConfig { Scattered = false }, 64, () => new CopyRules(16, 16, scattered: false), TaskSplit.Training),
    ];

    [TestCaseSource(nameof(s_tasks))]
    public void RowsFollowTheRules(PublishedTask task) => Check(task, OwnRows(task, 64));

    [TestCaseSource(nameof(s_tasks))]
    public void PublishedRowsFollowTheSameRulesAndChanceHasTheSameMeans(PublishedTask task)
    {
        TaskRow[] rows = PublishedRows(SharedData.Path($"{Folder}/{task.Name}.safetensors"));
        Assert.That(rows[0].Tokens, Has.Length.EqualTo(task.Context));
        var agreement = new CaseAgreement("tasks", task.Name);
        RowRules theirs = Check(task, rows), ours = Check(task, OwnRows(task, 512));
        Assert.That(ours.Chances.Keys, Is.EquivalentTo(theirs.Chances.Keys).And.Not.Empty);
        foreach ((string name, List<double> values) in theirs.Chances)
        {
            (double mean, double error) = MeanAndError(values);
            (double own, double ownError) = MeanAndError(ours.Chances[name]);
            Assert.That(own, Is.EqualTo(mean).Within((5 * Math.Sqrt((error * error) + (ownError * ownError))) + 1e-12), name);
        }

        agreement.Same($"rules of {rows.Length} rows; means of {string.Join(", ", theirs.Chances.Keys.Order(StringComparer.Ordinal))}");
        agreement.Record();
    }

    [Test]
    public void EveryPublishedCaseIsKnown()
        => Assert.That(
            File.ReadLines(SharedData.Path($"{Folder}/cases.tsv")).Skip(1).Select(line => line.Split('\t')[0]),
            Is.EquivalentTo(s_tasks.Select(task => task.Name)));

    private static PublishedTask Mqar(int time, int pairs)
        => new($"mqar-{time}-{pairs}", new MqarConfig { Pairs = pairs }, time, () => new MqarRules(8192, pairs, updates: 0, distractors: true));

    private static RowRules Check(PublishedTask task, TaskRow[] rows)
    {
        RowRules rules = task.Rules();
        foreach (TaskRow row in rows)
        {
            rules.Check(row);
        }

        return rules;
    }

    private static TaskRow[] OwnRows(PublishedTask task, int count)
    {
        using LearningTask opened = task.Config.Open(new TaskContext { Model = task.Config.Fit(new ModelConfig { Context = task.Context }), Seed = 11 });
        var rows = new BatchRows(opened.Fields(task.Context), count);
        if (task.Split == TaskSplit.Training)
        {
            rows.Fill(opened, step: 3, microBatch: 0);
        }
        else
        {
            rows.Fill(opened, task.Split, 0, count, count);
        }

        int[] Row(string field, int row) => rows.Row(row).Integers(field).ToArray();
        return [.. Enumerable.Range(0, count).Select(row => new TaskRow(Row(BatchField.Tokens, row), Row(BatchField.Targets, row), Row(BatchField.Groups, row)))];
    }

    private static TaskRow[] PublishedRows(string path)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        int time = (int)file["inputs"].Shape[1];
        int[] inputs = new int[file["inputs"].Count], labels = new int[inputs.Length];
        file.Read("inputs", inputs);
        file.Read("labels", labels);
        return [.. inputs.Chunk(time).Zip(labels.Select(label => Math.Max(label, -1)).Chunk(time), (tokens, targets) => new TaskRow(tokens, targets, []))];
    }

    private static (double Mean, double Error) MeanAndError(List<double> values)
    {
        double mean = values.Average();
        return (mean, Math.Sqrt(values.Sum(value => (value - mean) * (value - mean))) / values.Count);
    }
}

/// <summary>A task as it is published.</summary>
/// <param name="Name">Of the case among the published samples.</param>
/// <param name="Config">Of ours.</param>
/// <param name="Context">Places of a row.</param>
/// <param name="Rules">What holds for its rows.</param>
/// <param name="Split">What the rows are for.</param>
public sealed record PublishedTask(string Name, GeneratedTaskConfig Config, int Context, Func<RowRules> Rules, TaskSplit Split = TaskSplit.Validation)
{
    public override string ToString() => Name;
}
