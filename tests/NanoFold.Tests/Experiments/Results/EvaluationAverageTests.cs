using NanoFold.Engine.Experiments.Results;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Tasks;

namespace NanoFold.Tests.Experiments.Results;

public class EvaluationAverageTests
{
    /// <summary>Means are of files of the same rows; of others there is none.</summary>
    [Test]
    public void FilesOfOtherRowsAreNotAveraged()
    {
        DetailedEvaluation[] runs = [Made(1, rows: 4), Made(2, rows: 4)];
        Assert.That(EvaluationAverage.Breakdowns(runs).Single().Bins.Single().Loss, Is.EqualTo(1.5));
        Assert.That(EvaluationAverage.Contexts(runs).Single().Loss, Is.EqualTo(1.5));
        foreach (DetailedEvaluation other in new[] { Made(3, rows: 5), Made(3, rows: 4) with { Targets = 31 }, Made(3, rows: 4) with { Context = 16 } })
        {
            Assert.That(EvaluationAverage.Breakdowns([.. runs, other]), Is.Empty);
            Assert.That(EvaluationAverage.Contexts([.. runs, other]), Is.Empty);
        }
    }

    private static DetailedEvaluation Made(double loss, long rows) => new()
    {
        Version = 1, Step = 1, Task = "text", Name = "t", Unit = "nats per token", Context = 8, Rows = rows, AllRows = 10, Targets = 32, Loss = loss, Scores = [], Seconds = 1,
        Breakdowns = [new ScoreBreakdown("position", "place", AxisScale.Doubling, [new ScoreBin(0, 0, 4, loss)])],
        Contexts = [new ContextEvaluation(1, 8) { Loss = loss }],
    };
}
