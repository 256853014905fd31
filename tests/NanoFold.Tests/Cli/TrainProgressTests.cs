using NanoFold.Cli;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;

namespace NanoFold.Tests.Cli;

/// <summary>What is said of a run where there is no terminal.</summary>
public class TrainProgressTests
{
    [Test]
    public void ATimedRunHasTheLinesOfARunOfItsSteps()
    {
        // Known after 25 steps, and changed on the way.
        string[] lines = Lines(Enumerable.Range(1, 400).Select(step => (step, step <= 25 ? (int?)null : step <= 100 ? 300 : 400)));

        Assert.That(lines, Has.Length.InRange(20, 27));
        Assert.That(lines[..6].Select(StepOf), Is.EqualTo(new[] { "1", "2", "4", "8", "16", "30/300" }));
        Assert.That(lines[^2..].Select(StepOf), Is.EqualTo(new[] { "380/400", "400/400" }));
    }

    [Test]
    public void ARunOfStepsHasTwentyLines()
    {
        string[] lines = Lines(Enumerable.Range(1, 2000).Select(step => (step, (int?)2000)));

        Assert.That(lines.Select(StepOf), Is.EqualTo(Enumerable.Range(1, 20).Select(i => $"{i * 100:N0}/2,000").Prepend("1/2,000")));
    }

    [TestCase(null, "? left")]
    [TestCase(59.2, "1:00 left")]
    [TestCase(3661.0, "1:01:01 left")]
    public void WhatIsLeftIsSaidWhereItIsKnown(double? seconds, string said) => Assert.That(Lines([(1, 9)], seconds)[0], Does.EndWith(said));

    private static string StepOf(string line) => line.Split("  ")[0]["step ".Length..];

    private static string[] Lines(IEnumerable<(int Step, int? Steps)> steps, double? left = 1)
    {
        using var text = new StringWriter { NewLine = "\n" };
        var progress = new TrainProgress(new Output(text, TextWriter.Null, json: false));
        foreach ((int step, int? planned) in steps)
        {
            progress.Stepped(new StepReport(step, planned, new StepResult(1, 1, 1, 1), 100, left));
        }

        return text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
