using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;

namespace NanoFold.Tests.Tasks;

/// <summary>How rows read to a person.</summary>
public sealed class RowTextTests
{
    [Test]
    public void LabelsStandInBrackets()
    {
        // The second label is the next token by chance.
        Assert.That(Show([1, 2, 3, 0], [-1, 7, 0, -1]), Is.EqualTo("1 2 [7] 3 [0] 0"));
        Assert.That(Show([1, 2, 3, 4], [-1, 3, 4, 5]), Is.EqualTo("1 2 [3] [4] [5]"), "labels that are the next tokens are shown once");
        Assert.That(Show([1, 2, 3, 4], [2, 3, 4, 5]), Is.EqualTo("1 2 3 4"), "where all is asked for, nothing is marked");
        Assert.That(Show([5, 6, 7, 8], [-1, -1, -1, -1]), Is.EqualTo("5 6 7 8"));
    }

    [Test]
    public void ProblemsArePartedAndVectorsAreShort()
    {
        Assert.That(Show(new ModularAdditionConfig { Modulus = 5 }, 7), Does.Match(@"^[0-4] [0-4] = \[[0-4]\] \| [0-4] [0-4] = \[[0-4]\]$"));
        Assert.That(Show(new RegressionConfig { Dimensions = 2 }, 4), Does.Match(@"^\((-?\d\.?\d*, ){1}-?\d\.?\d*\) \[-?\d\.?\d*\] \(-?\d\.?\d*, 0\) \(.*\) \[.*\] \(.*, 0\)$"));
        Assert.That(Show(new RegressionConfig { Dimensions = 6 }, 2), Does.Match(@"^\((-?[\d.]+, ){4}…\) \[-?[\d.]+\] "));
    }

    internal static string Show(GeneratedTaskConfig config, int time)
    {
        using LearningTask task = config.Open(new TaskContext { Model = config.Fit(new ModelConfig { Context = time }), Seed = 4 });
        var rows = new BatchRows(task.Fields(time), 1);
        rows.Fill(task, TaskSplit.Validation, 0, 1, 1);
        return string.Join('\n', task.Show(rows.Row(0)));
    }

    private static string Show(int[] tokens, int[] targets)
    {
        var rows = new BatchRows(BatchField.OfTokens(tokens.Length), 1);
        tokens.CopyTo(rows.Integers(BatchField.Tokens));
        targets.CopyTo(rows.Integers(BatchField.Targets));
        using var task = new RandomTokens(10, 1);
        return string.Join('\n', task.Show(rows.Row(0)));
    }
}
