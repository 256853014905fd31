using NanoFold.Engine.Experiments;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Experiments;

/// <summary>How far a run is, as its folder says.</summary>
public class RunGlanceTests
{
    [Test]
    public void TheLossIsTheMeanOfTheLastSteps()
    {
        using var folder = new TemporaryFolder();
        string[] steps = [.. Enumerable.Range(1, 60).Select(step => $$"""{"step":{{step}},"loss":{{step}},"tokensPerSecond":100}""")];
        File.WriteAllLines(folder[RunFolder.MetricsFile], [.. steps, """{"step":60,"validationLoss":2.5}""", """{"step":61,"lo"""]);
        RunStatus status = RunGlance.Of(new RunStatus(new PlannedRun("run", "", new RunConfig()), folder.Path), new RunWork("", 80, 0, 0, null));
        Assert.That((status.Step, status.TrainLoss, status.ValidationLoss, status.TokensPerSecond), Is.EqualTo((60L, 35.5, 2.5, 100.0)));
    }
}
