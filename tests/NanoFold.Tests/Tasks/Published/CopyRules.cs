namespace NanoFold.Tests.Tasks.Published;

/// <summary>Tokens among blanks, a sign, and blanks at which the tokens are asked for.</summary>
internal sealed class CopyRules(int vocab, int copied, bool scattered) : RowRules
{
    public override void Check(TaskRow row)
    {
        int blank = vocab - 2, start = row.Tokens.Length - copied;
        int[] places = [.. Enumerable.Range(0, start - 1).Where(t => row.Tokens[t] != blank)];
        Assert.That(places, Has.Length.EqualTo(copied));
        Assert.That(places.Select(t => row.Tokens[t]), Is.All.InRange(0, blank - 1));
        Assert.That(row.Tokens[start - 1], Is.EqualTo(vocab - 1));
        Assert.That(row.Tokens[start..], Is.All.EqualTo(blank));
        Assert.That(row.Asked, Is.EqualTo(Enumerable.Range(start, copied)));
        Assert.That(row.Labels[start..], Is.EqualTo(places.Select(t => row.Tokens[t])));
        if (row.Distances.Length > 0)
        {
            Assert.That(row.Distances[start..].Select((distance, i) => start + i - distance), Is.EqualTo(places));
        }

        if (!scattered)
        {
            Assert.That(places, Is.EqualTo(Enumerable.Range(0, copied)));
        }

        Chance("first place", places[0]);
        Chance("last place", places[^1]);
        Chance("square of a gap", places[1..].Zip(places, (next, place) => (double)(next - place) * (next - place)).Average());
        Chance("place", places.Average());
        Chance("token", places.Average(t => row.Tokens[t]));
    }
}

/// <summary>Bits, and whether the ones up to each are odd.</summary>
internal sealed class ParityRules : RowRules
{
    public override void Check(TaskRow row)
    {
        Assert.That(row.Tokens, Is.All.InRange(0, 1));
        Assert.That(row.Labels, Is.EqualTo(row.Tokens.Select((_, t) => row.Tokens[..(t + 1)].Sum() % 2)));
        Chance("ones", row.Tokens.Average());
        Chance("odd", row.Labels.Average());
    }
}

/// <summary>Keys and a sign after each; values are the same in all rows.</summary>
internal sealed class MemorizeRules(int vocab) : RowRules
{
    private readonly Dictionary<int, int> _values = [];

    public override void Check(TaskRow row)
    {
        int keys = (vocab - 1) / 2;
        Assert.That(row.Asked, Is.EqualTo(Enumerable.Range(0, row.Tokens.Length / 2).Select(i => (2 * i) + 1)));
        foreach (int t in row.Asked)
        {
            (int key, int value) = (row.Tokens[t - 1], row.Labels[t]);
            Assert.That((key < keys, row.Tokens[t], value >= keys && value < vocab - 1), Is.EqualTo((true, vocab - 1, true)));
            Assert.That(_values.TryGetValue(key, out int known) ? known : value, Is.EqualTo(value));
            _values[key] = value;
            Chance("key", key);
        }

        Assert.That(_values.Values, Is.Unique);
        Chance("different keys", row.Asked.Select(t => row.Tokens[t - 1]).Distinct().Count());
    }
}

/// <summary>Random tokens and a sign, all asked for.</summary>
internal sealed class CompressRules(int vocab) : RowRules
{
    public override void Check(TaskRow row)
    {
        Assert.That(row.Tokens[^1], Is.EqualTo(vocab - 1));
        Assert.That(row.Tokens[..^1], Is.All.InRange(0, vocab - 2));
        Assert.That(row.Labels, Is.EqualTo(row.Tokens));
        Chance("token", row.Tokens[..^1].Average());
        Chance("different tokens", row.Tokens.Distinct().Count());
    }
}
