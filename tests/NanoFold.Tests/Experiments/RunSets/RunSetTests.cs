using NanoFold.Engine;
using NanoFold.Engine.Experiments;
using NanoFold.Engine.Runs;
using NanoFold.Tests.Configuration;

namespace NanoFold.Tests.Experiments;

/// <summary>Carrying out a set of runs: order, stages, what is over, fails, stops, and is shared.</summary>
public class RunSetTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [Test]
    public void ALaterStageFollowsFromTheResultsOfTheEarlier()
    {
        // Each of two variants tries two rates, then takes the better one for two more seeds.
        var starter = new FakeRuns { Becomes = name => name switch { "a-low" or "b-high" => 1.0, "a-high" => 2.0, "b-low" => TrainEnd.Diverged, _ => 0.5 } };
        RunSetSummary summary = Set(new Searched(), starter).Run();
        Assert.That(starter.Names, Is.EqualTo(new[] { "a-low", "a-high", "b-low", "b-high", "a-low-2", "a-low-3", "b-high-2", "b-high-3" }));
        Assert.That((summary.End, summary.IsComplete, summary.Status.Count(RunState.Over)), Is.EqualTo((RunSetEnd.Done, true, 8)));
        Assert.That(summary.Results["a-low-2"].Score("loss"), Is.EqualTo(0.5));
        Assert.That((summary.Results["b-low"].IsOver, summary.Results["b-low"].IsDone), Is.EqualTo((true, false)), "a rate at which it diverges is tried, and not again");
        Assert.That(new FakeRuns { Becomes = _ => "is not asked" } is var none && Set(new Searched(), none).Run().IsComplete && none.Orders.Count == 0, "the same again has nothing to do");
    }

    [Test]
    public void ARunThatFailsIsReportedAndTheRestFinish()
    {
        var observer = new RunSetRecorder();
        RunSetSummary summary = Set(Independent(3), new FakeRuns { Becomes = name => name == "r1" ? "there is not enough memory" : 1.0 }).Run(observer);
        Assert.That((summary.End, summary.IsComplete, summary.Status.Count(RunState.Over)), Is.EqualTo((RunSetEnd.Done, false, 2)));
        Assert.That(summary.Failed.Single().Note, Is.EqualTo("there is not enough memory"));
        Assert.That(observer.Ends.Select(run => run.State), Is.EqualTo(new[] { RunState.Over, RunState.Failed, RunState.Over }));
        RunResult written = RunResult.Find(RunSet.FolderOf(_folder.Path, "r1"))!;
        Assert.That((written.End, written.Problem, written.IsOver), Is.EqualTo(((TrainEnd?)TrainEnd.Failed, "there is not enough memory", false)));
        Assert.That(written.Json["output"]!.AsArray().Select(line => line!.GetValue<string>()), Is.EqualTo(new[] { "one", "two" }));

        var again = new FakeRuns { Becomes = _ => 1.0 };
        Assert.That(Set(Independent(3), again).Run().IsComplete);
        Assert.That(again.Names, Is.EqualTo(new[] { "r1" }), "the same command tries it once more, and nothing else");
    }

    [Test]
    public void WhatIsStoppedGoesOn()
    {
        using var stop = new CancellationTokenSource();
        var starter = new FakeRuns { Becomes = name => name == "r0" ? 1.0 : null };
        var observer = new RunSetRecorder { OnProgress = status => { if (status.Count(RunState.Over) == 1 && status.Count(RunState.Running) == 1) { stop.Cancel(); } } };
        RunSetSummary summary = Set(Independent(3), starter).Run(observer, stop.Token);
        Assert.That((summary.End, summary.IsComplete), Is.EqualTo((RunSetEnd.Interrupted, false)));
        Assert.That(summary.Status.Runs.Select(run => run.State), Is.EqualTo(new[] { RunState.Over, RunState.Stopped, RunState.Waiting }));

        var again = new FakeRuns { Becomes = _ => 2.0 };
        Assert.That(Set(Independent(3), again).Run().IsComplete);
        Assert.That(again.Names, Is.EqualTo(new[] { "r1", "r2" }));
    }

    [Test]
    public void TheTimeOfASetEndsIt()
    {
        RunSetSummary summary = Set(Independent(2), new FakeRuns { Becomes = _ => null }, options => options with { Time = TimeSpan.FromMilliseconds(50) }).Run();
        Assert.That((summary.End, summary.Status.Count(RunState.Stopped), summary.Status.Count(RunState.Waiting)), Is.EqualTo((RunSetEnd.OutOfTime, 1, 1)));
        RunSetSummary enough = Set(Independent(2), new FakeRuns { Becomes = _ => 1.0 }, options => options with { Time = TimeSpan.FromMinutes(5) }).Run();
        Assert.That((enough.End, enough.IsComplete), Is.EqualTo((RunSetEnd.Done, true)));
    }

    [Test]
    public void JobsShareTheThreads()
    {
        var starter = new FakeRuns { Becomes = _ => 1.0 };
        Set(Independent(12), starter, options => options with { Jobs = 3, Threads = 8, Processors = 9 }).Run();
        Assert.That(starter.MostAtOnce, Is.InRange(2, 3));
        Assert.That(starter.Orders.Select(order => order.Threads), Is.All.EqualTo(2), "3 × 2 are not above 8");
        Assert.That(starter.Names.Order(StringComparer.Ordinal), Is.EqualTo(Enumerable.Range(0, 12).Select(i => $"r{i}").Order(StringComparer.Ordinal)), "each once");
        Assert.That(Assert.Throws<UserException>(() => Set(Independent(1), starter, options => options with { Jobs = 9, Threads = 8, Processors = 16 }))!.Message, Does.StartWith("--jobs 9: expected 1 to 8"));
        Assert.That(Assert.Throws<UserException>(() => Set(Independent(1), starter, options => options with { Jobs = 9, Threads = 64, Processors = 8 }))!.Message, Does.StartWith("--jobs 9: expected 1 to 8"));
        Assert.That(Set(Independent(1), starter, options => options with { Jobs = 2, Threads = 64, Processors = 8 }).ThreadsOfRun, Is.EqualTo(4), "nor above the processors");

        var here = new FakeRuns { Becomes = _ => 1.0, HasProcesses = false };
        Set(Independent(3), here, options => options with { Folder = _folder["here"], Jobs = 3, Threads = 8, Processors = 8 }).Run();
        Assert.That((here.MostAtOnce, here.Orders[0].Threads), Is.EqualTo((1, 8)), "in one process one after another");
    }

    [Test]
    public void ShardsHaveDisjointSharesThatKeepAVariantTogether()
    {
        var all = new List<string>();
        for (int shard = 1; shard <= 2; shard++)
        {
            var starter = new FakeRuns { Becomes = name => name.Contains("low", StringComparison.Ordinal) ? 1.0 : 2.0 };
            RunSetSummary summary = Set(new Searched(), starter, options => options with { Folder = _folder[$"{shard}"], Shard = new Shard(shard, 2) }).Run();
            Assert.That((summary.End, starter.Orders.Count), Is.EqualTo((RunSetEnd.Done, 4)), "it does not wait for the other shard");
            Assert.That(starter.Names.Select(name => name[0]).Distinct().Count(), Is.EqualTo(1));
            all.AddRange(starter.Names);
        }

        Assert.That(all, Is.Unique.And.Count.EqualTo(8));
        var shares = new RunShares([.. Enumerable.Range(0, 9).Select(i => (Planned($"r{i}"), new RunWork("", 1, 1, i < 1 ? 8 : 1, null)))], 2);
        Assert.That(Enumerable.Range(0, 9).Count(i => shares.ShardOf($"r{i}") == 0), Is.EqualTo(1), "one long run is as much as eight short ones");
    }

    [Test]
    public void TheResultsOfOtherShardsCount()
    {
        foreach (string name in new[] { "a-low", "a-high" })
        {
            FakeRuns.Write(RunSet.FolderOf(_folder.Path, name), TrainEnd.Finished, 1);
        }

        RunSetStatus status = Set(new Searched(), new FakeRuns { Becomes = _ => 1.0 }, options => options with { Shard = new Shard(2, 2) }).Status;
        Assert.That(status.Runs.Select(run => (run.Run.Name, run.State)), Is.EqualTo(new[]
        {
            ("a-low", RunState.Over), ("a-high", RunState.Over), ("b-low", RunState.Waiting), ("b-high", RunState.Waiting), ("a-low-2", RunState.OtherShard), ("a-low-3", RunState.OtherShard),
        }));
    }

    [Test]
    public void WhatAnotherProcessCarriesOutIsLeftToIt()
    {
        RunSetSummary summary = Set(Independent(2), new FakeRuns { Becomes = name => name == "r0" ? RunOutcome.InUse : 1.0 }).Run();
        Assert.That((summary.End, summary.IsComplete), Is.EqualTo((RunSetEnd.Done, false)));
        Assert.That(summary.Status.Runs.Select(run => run.State), Is.EqualTo(new[] { RunState.Elsewhere, RunState.Over }));
        Assert.That(summary.Failed, Is.Empty);
        Assert.That(RunResult.Find(RunSet.FolderOf(_folder.Path, "r0")), Is.Null);
    }

    [Test]
    public void WhatIsLeftIsEstimatedFromRunsThatWereTaken()
    {
        // Two of four runs took two seconds each; all are alike.
        FakeRuns.Write(RunSet.FolderOf(_folder.Path, "r0"), TrainEnd.Finished, 1);
        FakeRuns.Write(RunSet.FolderOf(_folder.Path, "r1"), TrainEnd.Finished, 1);
        Assert.That(Set(Independent(4), new FakeRuns { Becomes = _ => 1.0 }).Status.SecondsLeft, Is.EqualTo(4).Within(1e-9));
        Assert.That(Set(Independent(4), new FakeRuns { Becomes = _ => 1.0 }, options => options with { Jobs = 2, Threads = 2, Processors = 2 }).Status.SecondsLeft, Is.EqualTo(2).Within(1e-9), "two at once");
    }

    [Test]
    public void ATextThatCanBeReadOnlyOnceIsRefused()
    {
        PlannedRun run = Planned("r0");
        var plan = new IndependentRuns([run with { Config = run.Config with { Data = run.Config.Data with { Path = "-" } } }]);
        Assert.That(Assert.Throws<UserException>(() => Set(plan, new FakeRuns { Becomes = _ => 1.0 }))!.Message, Does.StartWith("--data -: can be read only once, and every run of a set reads it"));
    }

    [TestCase("1/4", 1, 4)]
    [TestCase("4/4", 4, 4)]
    public void AShardIsRead(string text, int index, int count) => Assert.That(Shard.Parse(text), Is.EqualTo(new Shard(index, count)));

    [TestCase("0/4")]
    [TestCase("5/4")]
    [TestCase("4")]
    [TestCase("a/b")]
    public void WhatIsNoShardIsRefused(string text) => Assert.That(Assert.Throws<UserException>(() => Shard.Parse(text))!.Message, Is.EqualTo($"--shard {text}: expected I/N with I from 1 to N, such as 1/4"));

    private static PlannedRun Planned(string name, string? group = null) => new(name, group ?? name, Configs.Build("tokenizer=byte", "model.vocab=256", "model.layers=1", "model.width=16", "model.heads=2", "train.steps=4"));

    private static IndependentRuns Independent(int count)
    {
        PlannedRun first = Planned("r0");
        return new IndependentRuns([.. Enumerable.Range(0, count).Select(i => first with { Name = $"r{i}", Group = $"r{i}" })]);
    }

    private RunSet Set(IRunPlan plan, IRunStarter starter, Func<RunSetOptions, RunSetOptions>? with = null)
    {
        var options = new RunSetOptions(_folder.Path) { Threads = 1 };
        return new RunSet(plan, with?.Invoke(options) ?? options, starter);
    }

    /// <summary>Two variants, two rates each; then seeds 2 and 3 at the better one.</summary>
    private sealed class Searched : IRunPlan
    {
        private readonly PlannedRun _run = Planned("", "");

        public int Total => 8;

        public IReadOnlyList<PlannedRun> Known(IReadOnlyDictionary<string, RunResult> ended) =>
        [
            .. from variant in new[] { "a", "b" } from rate in new[] { "low", "high" } select Of($"{variant}-{rate}", variant),
            .. from variant in new[] { "a", "b" }
               let tried = new[] { "low", "high" }.Select(rate => $"{variant}-{rate}").ToArray()
               where tried.All(ended.ContainsKey)
               let best = tried.MinBy(name => ended[name].Score("loss") ?? double.PositiveInfinity)
               from seed in new[] { 2, 3 }
               select Of($"{best}-{seed}", variant),
        ];

        private PlannedRun Of(string name, string group) => _run with { Name = name, Group = group };
    }
}
