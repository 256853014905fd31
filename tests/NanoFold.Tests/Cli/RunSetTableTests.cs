using System.Text.Json.Nodes;
using NanoFold.Cli.Running;
using NanoFold.Engine.Experiments;
using NanoFold.Engine.Runs;
using NanoFold.Tests.Configuration;

namespace NanoFold.Tests.Cli;

/// <summary>What is said of a set of runs.</summary>
public class RunSetTableTests
{
    private static readonly RunConfig s_config = Configs.Build("tokenizer=byte");

    private static readonly RunSetStatus s_status = new(
        [
            Status("attention-lr0.0003-seed1", RunState.Over) with { Step = 2000, Steps = 2000, TrainLoss = 1.5, ValidationLoss = 1.75, Result = Result("finished") },
            Status("attention-lr0.003-seed1", RunState.Over) with { Step = 900, Steps = 2000, Result = Result("diverged") },
            Status("gated-deltanet-with-a-long-name-lr0.0003-seed1", RunState.Running) with { Step = 1200, Steps = 2000, TrainLoss = 2.25, ValidationLoss = 2.5, TokensPerSecond = 12345, SecondsLeft = 61.5 },
            Status("mamba-lr0.0003-seed1", RunState.Failed) with { Step = 3, Steps = 2000, Note = "its process was killed" },
            Status("rwkv-lr0.0003-seed1", RunState.Waiting) with { Steps = 2000 },
            Status("other", RunState.OtherShard),
        ],
        9, 3725);

    [Test]
    public void TheTableFitsATerminal()
    {
        IReadOnlyList<string> lines = RunSetTable.Lines(s_status, width: 80, height: 24);
        Assert.That(lines.Select(line => line.Length), Is.All.LessThan(80));
        Assert.That(lines[1], Does.StartWith("attention-lr0.0003-s").And.EndWith("2,000/2,000  1.5000      1.7500                done"));
        Assert.That(lines[2], Does.EndWith("diverged"));
        Assert.That(lines[3], Does.StartWith("gated-deltanet-with-a-").And.EndWith("1,200/2,000  2.2500      2.5000    12,345      1:02"));
        Assert.That(lines[4], Does.EndWith("failed"));
        Assert.That(lines, Has.Count.EqualTo(7), "a head, five runs of this shard, a line for all");
        Assert.That(lines[^1], Is.EqualTo("2 of 9 runs done, 1 running, 1 failed, 1 of other shards; about 1:02:05 left"));
    }

    [Test]
    public void WhereLinesAreFewWhatGoesOnIsShown()
    {
        IReadOnlyList<string> lines = RunSetTable.Lines(s_status, width: 80, height: 7);
        Assert.That(lines.Skip(1).SkipLast(1).Select(line => line[..5]), Is.EqualTo(new[] { "atten", "gated", "mamba" }), "running, failed, and the last that is over");
    }

    [Test]
    public void ARunThatEndsHasALine()
    {
        RunStatus done = Status("a", RunState.Over) with { Result = new RunResult(new JsonObject { ["end"] = "finished", ["steps"] = 2000, ["validationLoss"] = 1.25, ["validationAccuracy"] = 0.5, ["seconds"] = 61.0, ["tokensPerSecond"] = 1234.4 }) };
        Assert.That(RunSetTable.Ended(done), Is.EqualTo("a: validation 1.2500, accuracy 0.5000 after 2,000 steps, 1:01, 1,234 tokens/s"));
        Assert.That(RunSetTable.Ended(Status("a", RunState.Failed) with { Note = "no memory" }), Is.EqualTo("a: failed: no memory"));
        Assert.That(RunSetTable.Ended(Status("a", RunState.Stopped) with { Step = 7 }), Is.EqualTo("a: stopped after 7 steps, saved"));
    }

    private static RunStatus Status(string name, RunState state) => new(new PlannedRun(name, name, s_config), name) { State = state };

    private static RunResult Result(string end) => new(new JsonObject { ["end"] = end });
}
