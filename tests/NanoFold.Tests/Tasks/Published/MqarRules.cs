namespace NanoFold.Tests.Tasks.Published;

/// <summary>Pairs, then new values of some keys, then slots of two places with the keys and what they are asked for.</summary>
internal sealed class MqarRules(int vocab, int pairs, int updates, bool distractors) : RowRules
{
    public override void Check(TaskRow row)
    {
        int half = vocab / 2, start = 2 * (pairs + updates);
        int[] keys = [.. Enumerable.Range(0, pairs).Select(i => row.Tokens[2 * i])], values = [.. Enumerable.Range(0, pairs).Select(i => row.Tokens[(2 * i) + 1])];
        RequireDistinct(keys, 1, half);
        RequireDistinct(values, half, vocab);
        Dictionary<int, (int Value, int Place)> latest = Enumerable.Range(0, pairs).ToDictionary(i => keys[i], i => (values[i], 2 * i));
        int[] updated = [.. Enumerable.Range(0, updates).Select(i => row.Tokens[2 * (pairs + i)])];
        Assert.That(updated, Is.Unique.And.SubsetOf(keys));
        for (int i = 0; i < updates; i++)
        {
            latest[updated[i]] = (row.Tokens[(2 * (pairs + i)) + 1], 2 * (pairs + i));
            Assert.That(latest[updated[i]].Value, Is.InRange(half, vocab - 1));
            Chance("key of an update", Array.IndexOf(keys, updated[i]));
        }

        int[] asked = [.. row.Asked];
        Assert.That(asked.Select(t => row.Tokens[t]), Is.EquivalentTo(keys));
        foreach (int t in asked)
        {
            Assert.That(t >= start && (t - start) % 2 == 0, $"slots begin at {start}, not at {t}");
            Assert.That(row.Labels[t], Is.EqualTo(latest[row.Tokens[t]].Value));
            if (row.Distances.Length > 0)
            {
                Assert.That(t - row.Distances[t], Is.EqualTo(latest[row.Tokens[t]].Place));
            }

            Chance("slot", Math.Log(1 + ((t - start) / 2)));
            Chance("first slot", t == start ? 1 : 0);
            if (row.Tokens[t] == keys[0])
            {
                Chance("slot of the first key", Math.Log(1 + ((t - start) / 2)));
            }
        }

        int[] others = [.. Enumerable.Range(start, row.Tokens.Length - start).Except(asked).Select(t => row.Tokens[t])];
        Assert.That(others, distractors ? Is.All.InRange(0, vocab - 1) : Is.All.Zero);
        Chance("key", keys.Average());
        Chance("value", values.Average());
        Chance("others", others.Average());
    }
}

/// <summary>The same with keys of two tokens, each first with each second.</summary>
internal sealed class ComposedMqarRules(int vocab, int side) : RowRules
{
    public override void Check(TaskRow row)
    {
        int third = vocab / 3, pairs = side * side, start = 3 * pairs;
        (int First, int Second)[] keys = [.. Enumerable.Range(0, pairs).Select(i => (row.Tokens[3 * i], row.Tokens[(3 * i) + 1]))];
        int[] values = [.. Enumerable.Range(0, pairs).Select(i => row.Tokens[(3 * i) + 2])];
        RequireDistinct(keys.Select(key => key.First).Distinct(), 1, third);
        RequireDistinct(keys.Select(key => key.Second).Distinct(), third, 2 * third);
        RequireDistinct(values, 2 * third, vocab);
        Assert.That(keys, Is.Unique);
        Assert.That((keys.DistinctBy(key => key.First).Count(), keys.DistinctBy(key => key.Second).Count()), Is.EqualTo((side, side)));

        int[] asked = [.. row.Asked];
        Assert.That(asked.Select(t => (row.Tokens[t - 1], row.Tokens[t])), Is.EquivalentTo(keys));
        foreach (int t in asked)
        {
            int pair = Array.IndexOf(keys, (row.Tokens[t - 1], row.Tokens[t]));
            Assert.That((t - 1 - start) % 3, Is.Zero);
            Assert.That(row.Labels[t], Is.EqualTo(values[pair]));
            if (row.Distances.Length > 0)
            {
                Assert.That(t - 1 - row.Distances[t], Is.EqualTo(3 * pair));
            }

            Chance("slot", Math.Log(1 + ((t - 1 - start) / 3)));
        }

        Assert.That(Enumerable.Range(start, row.Tokens.Length - start).Where(t => row.Labels[t] < 0 && (t + 1 == row.Tokens.Length || row.Labels[t + 1] < 0)).Select(t => row.Tokens[t]), Is.All.Zero);
        Chance("first token", keys.Average(key => key.First));
        Chance("second token", keys.Average(key => key.Second));
        Chance("value", values.Average());
        Chance("first token again", keys[0].First == keys[1].First ? 1 : 0);
    }
}
