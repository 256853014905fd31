namespace NanoFold.Tests.Tasks.Published;

/// <summary>A row of a task.</summary>
/// <param name="Tokens">What is read.</param>
/// <param name="Labels">What is asked for, −1 where nothing is.</param>
/// <param name="Distances">How far back what is asked for stands; empty where the generator does not say.</param>
public sealed record TaskRow(int[] Tokens, int[] Labels, int[] Distances)
{
    /// <summary>The places that are asked for something.</summary>
    public IEnumerable<int> Asked => Enumerable.Range(0, Labels.Length).Where(t => Labels[t] >= 0);

    /// <summary>The tokens, and after them what the last place is asked for.</summary>
    public int[] Sequence => [.. Tokens, Labels[^1]];
}

/// <summary>What has to hold for every row of a task, and what is left to chance.</summary>
public abstract class RowRules
{
    /// <summary>What was left to chance in the rows that were checked, by name.</summary>
    public Dictionary<string, List<double>> Chances { get; } = [];

    /// <summary>Fails where a row breaks a rule.</summary>
    public abstract void Check(TaskRow row);

    protected void Chance(string name, double value)
    {
        if (!Chances.TryGetValue(name, out List<double>? values))
        {
            Chances[name] = values = [];
        }

        values.Add(value);
    }

    protected static void RequireDistinct(IEnumerable<int> values, int from, int end)
    {
        int[] all = [.. values];
        Assert.That(all, Is.Unique.And.All.InRange(from, end - 1));
    }

    /// <summary>Every place is asked for the token after it.</summary>
    protected static void RequireNextTokens(TaskRow row)
    {
        Assert.That(row.Labels[..^1], Is.EqualTo(row.Tokens[1..]));
        Assert.That(row.Labels[^1], Is.Not.Negative);
    }
}
