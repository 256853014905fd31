using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Experiments;
using NanoFold.Engine.Experiments.Results;
using NanoFold.Engine.Experiments.Scaling;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Experiments.Scaling;

/// <summary>Grids are saved, gone on with, and collected from run folders.</summary>
public class ScalingGridTests
{
    private static readonly ScalingLaw s_law = new(1.2, 12, 0.30, 90, 0.38);

    [Test]
    public void AGridIsReadAsItWasWritten()
    {
        using var folder = new TemporaryFolder();
        ScalingGrid grid = Grid();
        ScalingFolder.Take(folder["grid"], grid);
        ScalingGrid read = ScalingGrid.Load(folder["grid"]);
        Assert.That(read.ToJson(), Is.EqualTo(grid.ToJson()));
        Assert.That(read.Sizes.Select(size => (size.Name, size.Parameters)), Is.Ordered.By("Item2"));

        IReadOnlyList<PlannedRun> runs = read.Plan().Known(new Dictionary<string, RunResult>());
        Assert.That(runs, Has.Count.EqualTo(2 * 3 * 2));
        Assert.That(runs[0].Name, Is.EqualTo("w32-l1-t76800-seed1"));
        Assert.That((runs[0].Config.Train.Tokens, runs[0].Config.Train.Seed, Budget.Of(runs[0].Config).Steps), Is.EqualTo((76800L, 1L, 100)));
        Assert.That(runs[^1].Config.Model.Width, Is.EqualTo(64));
        Assert.That(runs.Select(run => run.Config.Geometry.Enabled), Is.All.False);
    }

    [Test]
    public void AGridGoesOnWithMoreAndNotWithAnother()
    {
        using var folder = new TemporaryFolder();
        ScalingFolder.Take(folder["grid"], Grid());
        ScalingFolder.Take(folder["grid"], Grid(sizes: "32,64,96", tokens: [76800, 153600, 307200, 614400], seeds: [1, 2, 3]));
        Assert.That(ScalingGrid.Load(folder["grid"]).Cells(), Has.Count.EqualTo(3 * 4 * 3));
        Refused("holds another grid, with size w96-l3, tokens 76800,153600,307200,614400, seeds 1,2,3", Grid());
        Refused("holds another grid, with other settings of w32-l1", Grid("train.learningRate=0.02"));
        // A coordinate check may be there first, and what another shard is writing.
        Directory.CreateDirectory(folder["checked"]);
        File.WriteAllText(folder["checked/coordinate-check.json"], "");
        File.WriteAllText(folder["checked/scaling.json.tmp-0"], "");
        ScalingFolder.Take(folder["checked"], Grid());
        Assert.That(ScalingGrid.Load(folder["checked"]).Tokens, Has.Count.EqualTo(3));
        Directory.CreateDirectory(folder["full"]);
        File.WriteAllText(folder["full/x"], "");
        Assert.That(() => ScalingFolder.Take(folder["full"], Grid()), Throws.TypeOf<UserException>().With.Message.Contains("is not empty and holds no grid"));

        void Refused(string reason, ScalingGrid grid) => Assert.That(() => ScalingFolder.Take(folder["grid"], grid), Throws.TypeOf<UserException>().With.Message.Contains(reason));
    }

    [TestCase("--sizes: w32-l1 is there twice", "32,32x1", new[] { 76800L }, new[] { 1L })]
    [TestCase("--tokens: 76800 is there twice", "32", new[] { 76800L, 76800L }, new[] { 1L })]
    [TestCase("--seeds: 2 is there twice", "32", new[] { 76800L }, new[] { 2L, 2L })]
    [TestCase("--sizes 7: model.", "7", new[] { 76800L }, new[] { 1L })]
    [TestCase("--tokens 100: is less than a step of 768 tokens", "32", new[] { 76800L, 100L }, new[] { 1L })]
    [TestCase("--tokens 76800,76900: are as many steps", "32", new[] { 76800L, 76900L }, new[] { 1L })]
    public void GridsThatMeanNothingAreRefused(string reason, string sizes, long[] tokens, long[] seeds) =>
        Assert.That(() => Grid(sizes: sizes, tokens: tokens, seeds: seeds), Throws.TypeOf<UserException>().With.Message.StartsWith(reason));

    [Test]
    public void WhatIsThereIsCollected()
    {
        using var folder = new TemporaryFolder();
        ScalingGrid grid = Grid(sizes: "32,64,96", seeds: [1]);
        ScalingFolder.Take(folder["grid"], grid);
        Assert.That(ScalingCollector.Collect(folder["grid"]).WhyNot, Is.EqualTo("0 finished runs are too few for a law of five numbers; 7 are needed"));

        ScalingCell[] cells = [.. grid.Cells()];
        foreach (ScalingCell cell in cells[..^1])
        {
            WriteRun(folder[$"grid/runs/{Name(cell)}"], cell);
        }

        ScalingResult result = ScalingCollector.Collect(folder["grid"]);
        Assert.That(result.Runs, Has.Count.EqualTo(8));
        Assert.That(result.Unfinished.Select(run => (run.Run, run.State)), Is.EqualTo(new[] { ($"runs/{Name(cells[^1])}", CollectedState.Missing) }));
        Assert.That(result.Fit!.Law.Beta, Is.EqualTo(s_law.Beta).Within(1e-3));
        Assert.That(result.Runs.Select(run => run.Residual), Is.All.EqualTo(0).Within(1e-6));
        Assert.That(result.Runs[0].Flops, Is.EqualTo(result.Runs[0].FlopsPerToken * 76800.0));
        Assert.That(result.ComputeOptimal, Has.Count.EqualTo(7));
        Assert.That(result.ComputeOptimal[^1].IsExtrapolated, Is.True);
        Assert.That(result.Summary[0], Does.StartWith("L = 1.2 + 12 / N^0.300 + 90 / D^0.380, fitted to 8 runs: it explains 100.0 % of the spread"));
        Assert.That(result.Title, Is.EqualTo("text: 3 sizes from w32-l1 to w96-l3, 3 numbers of tokens"));

        ScalingFiles.Write(folder["grid"], result);
        Assert.That(ScalingResult.Read(folder["grid"]).ToJson().ToJsonString(), Is.EqualTo(result.ToJson().ToJsonString()));
        string[] table = File.ReadAllLines(folder["grid/table.csv"]);
        Assert.That((table.Length, table[1].Split(',')[..4]), Is.EqualTo((9, new[] { "runs/w32-l1-t76800-seed1", "w32-l1", "1", $"{grid.Sizes[0].Parameters}" })));
    }

    private static string Name(ScalingCell cell) => $"{cell.Size.Name}-t{cell.Tokens}-seed{cell.Seed}";

    private static void WriteRun(string path, ScalingCell cell)
    {
        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, RunConfig.FileName), cell.ConfigOf(cell.Size.Resolve()).ToJson());
        File.WriteAllText(Path.Combine(path, RunFolder.MetricsFile), $$"""{"step":100,"tokens":{{cell.Tokens}},"elapsedSeconds":1.5}""" + "\n");
        new RunResult(new JsonObject { ["end"] = "finished", ["steps"] = 100, ["seconds"] = 2, ["validationLoss"] = s_law.Loss(cell.Size.Parameters, cell.Tokens) }).Write(path);
    }

    private static ScalingGrid Grid(params string[] settings) => Grid("32,64", [76800, 153600, 307200], [1, 2], settings);

    private static ScalingGrid Grid(string sizes, long[]? tokens = null, long[]? seeds = null, params string[] settings)
    {
        ModelFamily family = ModelFamilyTests.Family(settings);
        return ScalingGrid.Of(family, [.. sizes.Split(',').Select(family.Parse)], tokens ?? [76800, 153600, 307200], seeds ?? [1, 2]);
    }
}
