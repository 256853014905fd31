using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Tasks;

/// <summary>Reachability: its graphs, questions and paths, read from the rows alone.</summary>
public sealed class ReachabilityTests : EngineTests
{
    private const int Rows = 300;

    private static ReachabilityConfig Config => new() { Path = true };

    [TestCase(10, 11, 1, 3)]
    [TestCase(6, 4, 1, 2)]
    [TestCase(20, 40, 2, 5)]
    public void OneOfTwoIsReachedOnOneShortestWay(int concepts, int statements, int least, int most)
    {
        ReachabilityConfig config = Config with { Concepts = concepts, Statements = statements, LeastSteps = least, MostSteps = most };
        var steps = new List<int>();
        foreach (Row row in Read(config))
        {
            Assert.That(row.Edges, Is.Unique.And.Length.EqualTo(statements));
            Dictionary<int, int> own = Distances(row, row.Start), others = Distances(row, Other(row));
            int wrong = row.Candidates.Single(candidate => candidate != row.Answer);
            Assert.That(row.Candidates, Does.Contain(row.Answer));
            Assert.That((own.ContainsKey(row.Answer), own.ContainsKey(wrong), others.ContainsKey(row.Answer), others.ContainsKey(wrong)), Is.EqualTo((true, false, false, true)));
            Assert.That(row.Path[^1], Is.EqualTo(row.Answer));
            Assert.That(row.Path.Prepend(row.Start).Zip(row.Path), Is.SubsetOf(row.Edges), "the path is of statements");
            Assert.That((row.Path.Length, Ways(row, own, row.Answer)), Is.EqualTo((own[row.Answer], 1)), "and the only shortest one");
            Assert.That(row.Groups, Is.EqualTo(Enumerable.Repeat(row.Path.Length, row.Path.Length + 2)), "each word that is asked for is told apart by the steps");
            steps.Add(row.Path.Length);
            Assert.That((others[wrong], Ways(row, others, wrong)), Is.EqualTo((row.Path.Length, 1)), "the other candidate is as far away from its own beginning");
        }

        Assert.That(steps, Is.All.InRange(least, most));
        Assert.That(Enumerable.Range(least, most - least + 1).Select(count => steps.Count(s => s == count)), Is.All.EqualTo(Rows / (most - least + 1)).Within(35), "four standard errors");
    }

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public void NothingButTheStatementsGivesTheAnswerAway(int steps)
    {
        // Four standard errors of 3,000 answers are 0.037.
        Row[] rows = [.. Read(Config with { LeastSteps = steps, MostSteps = steps }, 3000)];
        void IsChance(Func<Row, int, int> score, string what)
            => Assert.That(rows.Average(row => (1 + score(row, row.Answer).CompareTo(score(row, row.Candidates.Single(c => c != row.Answer)))) / 2.0), Is.EqualTo(0.5).Within(0.04), what);
        IsChance((row, concept) => Array.IndexOf(row.Candidates, concept), "place in the question");
        IsChance((row, concept) => row.Edges.Count(edge => edge.To == concept), "times that it is said of others");
        IsChance((row, concept) => row.Edges.Count(edge => edge.From == concept), "times that others are said of it");
        IsChance((row, concept) => Array.FindIndex(row.Edges, edge => edge.To == concept), "how early it is named");
        IsChance((row, concept) => Reached(row.Edges, concept).Count, "concepts that it leads to");
        IsChance((row, concept) => Reached(Turned(row), concept).Count, "concepts that lead to it");
        IsChance((row, concept) => Reached(Turned(row), concept).Max(step => step.Value), "depth");
        IsChance((row, concept) => Reached(Turned(row), concept).Where(step => step.Key == row.Start || step.Key == Other(row)).Min(step => step.Value), "nearness to a beginning");
        Assert.That(rows.SelectMany(row => row.Edges).Select(edge => edge.From).Distinct().Count(), Is.EqualTo(32), "all names are used");
    }

    [Test]
    public void WithoutAPathOnlyTheAnswerIsAskedFor()
    {
        // The same draws with and without.
        foreach ((Row with, Row without) in Read(Config).Zip(Read(Config with { Path = false })))
        {
            Assert.That((without.Edges, without.Start, without.Candidates, without.Answer), Is.EqualTo((with.Edges, with.Start, with.Candidates, with.Answer)));
            Assert.That(without.Groups, Has.Length.EqualTo(1));
        }

        Assert.That(RowTextTests.Show(Config, 42), Does.Match(@"^Every \w+ is a \w+\..*\nIs every \w+ a \w+ or a \w+\? \[(\w+ )+\. \w+\]$"));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void AQuestionCountsWhereAllOfItIsRight(bool path)
    {
        ReachabilityConfig config = Config with { Path = path, ValidationRows = 20 };
        using LearningTask task = Open(config);
        using var model = new Transformer(Model(config), Backend());
        using var evaluator = new Evaluator(model, task, new BatchShape(7, config.LeastContext));
        Evaluation evaluation = evaluator.Run();
        // A head of zeros takes the first name.
        Row[] rows = [.. Read(config, 20)];
        Assert.That(evaluation.Scores!.First(), Is.EqualTo(new Score("accuracy", path ? 0 : rows.Average(row => row.Answer == 0 ? 1.0 : 0))));
        Assert.That(evaluation.Scores!.Select(score => score.Name), Is.EqualTo(path ? new[] { "accuracy", "words" } : ["accuracy"]));
        if (path)
        {
            int[] words = [.. rows.SelectMany(row => row.Path.Append(-1).Append(row.Answer))];
            Assert.That(evaluation.Scores![1].Value, Is.EqualTo(words.Average(word => word == 0 ? 1.0 : 0)).Within(1e-12));
        }
    }

    [Test]
    public void WhatDoesNotSuitIsToldInALine()
    {
        string Problem(ReachabilityConfig config) => RegressionTests.Problem(config, new ModelConfig { Context = 64 });
        Assert.That(Problem(Config with { Names = 8 }), Is.EqualTo("task.names: 8 is less than task.concepts = 10"));
        Assert.That(Problem(Config with { LeastSteps = 4 }), Is.EqualTo("task.leastSteps: 4 is more than task.mostSteps = 3"));
        Assert.That(Problem(Config with { MostSteps = 5 }), Is.EqualTo("task.mostSteps: 5 is more than the 4 that a side of task.concepts = 10 may have"));
        Assert.That(Problem(Config with { Statements = 7 }), Is.EqualTo("task.statements: 7 is not from 8 to 23, as task.concepts = 10 and task.mostSteps = 3 need"));
        Assert.That(Problem(Config with { Statements = 20 }), Is.EqualTo("model.context: 64 is less than the 69 places that task.statements = 20 and task.mostSteps = 3 take"));
        Assert.That(Problem(Config), Is.Empty);
    }

    private static ModelConfig Model(ReachabilityConfig config)
        => config.Fit(new ModelConfig { Layers = 1, Width = 8, Heads = 2, Context = config.LeastContext, Initialization = InitializationKind.Zero });

    private static LearningTask Open(ReachabilityConfig config) => config.Open(new TaskContext { Model = Model(config), Seed = 5 });

    private static IEnumerable<Row> Read(ReachabilityConfig config, int count = Rows)
    {
        using LearningTask task = Open(config);
        int time = config.LeastContext;
        var batch = new BatchRows(task.Fields(time), count);
        batch.Fill(task, TaskSplit.Validation, 0, count, count);
        return [.. Enumerable.Range(0, count).Select(row => Row.Of(batch.Row(row), config))];
    }

    // The other concept of which nothing is said.
    private static int Other(Row row) => row.Edges.Select(edge => edge.From).Except(row.Edges.Select(edge => edge.To)).Single(concept => concept != row.Start);

    private static Dictionary<int, int> Distances(Row row, int from) => Reached(row.Edges, from);

    private static (int From, int To)[] Turned(Row row) => [.. row.Edges.Select(edge => (edge.To, edge.From))];

    // In how many steps.
    private static Dictionary<int, int> Reached((int From, int To)[] edges, int from)
    {
        var steps = new Dictionary<int, int> { [from] = 0 };
        var next = new Queue<int>([from]);
        while (next.TryDequeue(out int at))
        {
            foreach ((int parent, int to) in edges)
            {
                if (parent == at && steps.TryAdd(to, steps[at] + 1))
                {
                    next.Enqueue(to);
                }
            }
        }

        return steps;
    }

    private static int Ways(Row row, Dictionary<int, int> steps, int to)
        => steps[to] == 0 ? 1 : row.Edges.Where(edge => edge.To == to && steps.TryGetValue(edge.From, out int before) && before == steps[to] - 1).Sum(edge => Ways(row, steps, edge.From));

    private sealed record Row((int From, int To)[] Edges, int Start, int[] Candidates, int[] Path, int Answer, int[] Groups)
    {
        public static Row Of(BatchRow row, ReachabilityConfig config)
        {
            int[] tokens = row.Integers(BatchField.Tokens).ToArray(), targets = [.. row.Integers(BatchField.Targets).ToArray().Where(target => target >= 0)];
            int question = 3 * config.Statements;
            return new Row(
                [.. tokens[..question].Chunk(3).Select(statement => (statement[0], statement[1]))],
                tokens[question + 1],
                tokens[(question + 2)..(question + 4)],
                targets.Length > 1 ? targets[..^2] : [],
                targets[^1],
                [.. row.Integers(BatchField.Groups).ToArray().Where(group => group >= 0)]);
        }
    }
}
