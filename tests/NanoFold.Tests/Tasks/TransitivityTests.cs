using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Tasks;

/// <summary>Facts, their sums, and which of them are held back.</summary>
public sealed class TransitivityTests : EngineTests
{
    private const int Time = 9;

    private static TransitivityConfig Config => new() { Firsts = 12, Middles = 4, Lasts = 5, TrainShare = 0.75 };

    [TestCase(256)]
    [TestCase(3)]
    public void SumsFollowFromFactsAndOnlySomeAreTrainedOn(int validationRows)
    {
        using LearningTask task = Open(Config with { ValidationRows = validationRows });
        (int Whose, int Relation, int Answer, int Group)[] held = Read(task, TaskSplit.Validation), trained = [.. Read(task, TaskSplit.Training).Distinct()];
        Dictionary<int, int> middles = trained.Where(fact => fact.Relation == 21).ToDictionary(fact => fact.Whose, fact => fact.Answer);
        Dictionary<int, int> lasts = trained.Where(fact => fact.Relation == 22).ToDictionary(fact => fact.Whose, fact => fact.Answer);
        Assert.That(middles.Keys, Is.EquivalentTo(Enumerable.Range(0, 12)), "all facts are trained on");
        Assert.That(lasts.Keys, Is.EquivalentTo(Enumerable.Range(12, 4)));
        (int Whose, int Relation, int Answer, int Group)[] sums = [.. held.Concat(trained).Where(problem => problem.Relation == 23).Distinct()];
        Assert.That(sums.Select(sum => sum.Answer), Is.EqualTo(sums.Select(sum => lasts[middles[sum.Whose]])));
        Assert.That(trained.Where(problem => problem.Relation == 23).Select(problem => problem.Group), Is.EqualTo(Enumerable.Repeat(2, 9)));
        int[] heldBack = [.. held.Where(problem => problem.Group == 0).Select(problem => problem.Whose)];
        Assert.That(heldBack.Intersect(trained.Where(problem => problem.Group == 2).Select(problem => problem.Whose)), Is.Empty);
        Assert.That(heldBack.Distinct().Count(), Is.EqualTo(3));
        if (validationRows == 256)
        {
            Assert.That(held.Select(problem => problem.Group).Distinct(), Is.EquivalentTo(new[] { 0, 1, 2 }));
        }
    }

    /// <summary>Those that are held back stand evenly among the rows, the first has one: so an evaluation on a part has a loss.</summary>
    [TestCase(0.75, 7, new[] { 0, 2, 4 })]
    [TestCase(0.2, 7, new[] { 0, 1, 2, 3, 4, 5, 6 })]
    public void EachProblemIsAskedForOnce(double share, int rows, int[] begins)
    {
        using LearningTask task = Open(Config with { TrainShare = share });
        Assert.That(task.Rows(TaskSplit.Validation, Time), Is.EqualTo(rows), "28 problems, four a row");
        Assert.That(Read(task, TaskSplit.Validation).Select(problem => (problem.Whose, problem.Relation)).ToArray(), Is.Unique.And.Length.EqualTo(28));
        var batch = new BatchRows(task.Fields(Time), rows);
        batch.Fill(task, TaskSplit.Validation, 0, rows, rows);
        Assert.That(Enumerable.Range(0, rows).Where(row => batch.Row(row).Integers(BatchField.Groups)[1] == 0), Is.EqualTo(begins));
    }

    [TestCase(12, 12, 1)]
    [TestCase(12, 30, 1)]
    [TestCase(12, 4, 3)]
    public void MiddlesAreAsFrequentAsEachOther(int firsts, int middles, int times)
    {
        using LearningTask task = Open(Config with { Firsts = firsts, Middles = middles, Lasts = middles });
        (int Whose, int Relation, int Answer, int Group)[] facts = Read(task, TaskSplit.Validation);
        int relation = firsts + (2 * middles);
        Assert.That(facts.Where(fact => fact.Relation == relation).GroupBy(fact => fact.Answer).Select(group => group.Count()), Is.All.EqualTo(times));
        Assert.That(facts.Where(fact => fact.Relation == relation + 1).Select(fact => fact.Answer).ToArray(), Is.Unique.And.Length.EqualTo(middles));
    }

    [Test]
    public void ScoresAreOfWhatIsHeldBackAndProbabilitiesOfEverything()
    {
        using LearningTask task = Open(Config);
        using var model = new Transformer(Config.Fit(s_model), Backend());
        using var evaluator = new Evaluator(model, task, new BatchShape(3, Time));
        Evaluation evaluation = evaluator.Run();
        double nats = Math.Log(Config.Vocab);
        Assert.That(evaluation.Figures.Select(figure => (figure.Name, Math.Round(figure.Value, 5))), Is.EqualTo(new[]
        {
            ("loss", Math.Round(nats, 5)), ("accuracy", 0), ("logProbability", Math.Round(-nats, 5)), ("logProbabilityOfFacts", Math.Round(-nats, 5)), ("logProbabilityOfTrained", Math.Round(-nats, 5)),
        }));
        Assert.That(RowTextTests.Show(Config, 4), Does.Match(@"^a\d+ →→c \[c\d\] \| (a\d+ →→?[bc]|b\d →c) \[[bc]\d\]$"));
        Assert.That(RegressionTests.Problem(Config, s_model with { Vocab = 20 }), Is.EqualTo("model.vocab: 20 is less than the 24 symbols of task.firsts = 12, middles = 4 and lasts = 5; leave it out"));
    }

    private static readonly ModelConfig s_model = new() { Layers = 1, Width = 8, Heads = 2, Context = Time, Initialization = InitializationKind.Zero };

    private static LearningTask Open(TransitivityConfig config) => config.Open(new TaskContext { Model = config.Fit(s_model), Seed = 5 });

    private static (int Whose, int Relation, int Answer, int Group)[] Read(LearningTask task, TaskSplit split)
    {
        int rows = split == TaskSplit.Training ? 200 : (int)task.Rows(split, Time);
        var batch = new BatchRows(task.Fields(Time), rows);
        if (split == TaskSplit.Training)
        {
            batch.Fill(task, 1, 0);
        }
        else
        {
            batch.Fill(task, split, 0, rows, rows);
        }

        int[] tokens = batch.Integers(BatchField.Tokens).ToArray(), targets = batch.Integers(BatchField.Targets).ToArray(), groups = batch.Integers(BatchField.Groups).ToArray();
        return [.. Enumerable.Range(1, tokens.Length - 1).Where(i => targets[i] >= 0).Select(i => (tokens[i - 1], tokens[i], targets[i], groups[i]))];
    }
}
