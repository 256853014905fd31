namespace NanoFold.Tests.Tasks.Published;

/// <summary>Pairs of a key and its value, some of them noise, and at the end a key that has stood before.</summary>
internal sealed class RecallRules(int symbols, int noise, bool singleQuery, bool training) : RowRules
{
    public override void Check(TaskRow row)
    {
        int keys = symbols / 2;
        List<int> sequence = [.. row.Sequence];
        if (singleQuery)
        {
            Assert.That(sequence[^3], Is.EqualTo(symbols + noise), "the sign");
            sequence.RemoveAt(sequence.Count - 3);
        }

        Dictionary<int, (int Value, int Place)> known = [];
        List<(int Place, int Value)> asked = [];
        int noisy = 0;
        for (int at = 0; at < sequence.Count; at += 2)
        {
            (int key, int value) = (sequence[at], sequence[at + 1]);
            bool isLast = at + 2 == sequence.Count;
            int place = at + (singleQuery && isLast ? 1 : 0);
            if (key >= symbols)
            {
                Assert.That(new[] { key, value }, Is.All.InRange(symbols, symbols + noise - 1));
                noisy++;
                continue;
            }

            Assert.That(key < keys && value >= keys && value < symbols, $"{key} {value}");
            if (known.TryGetValue(key, out (int Value, int Place) before))
            {
                Assert.That(value, Is.EqualTo(before.Value));
                if (isLast || !singleQuery)
                {
                    asked.Add((place, value));
                    if (row.Distances.Length > 0)
                    {
                        Assert.That(place - row.Distances[place], Is.EqualTo(before.Place));
                    }
                }
            }
            else
            {
                Assert.That(isLast, Is.False, "the last key has stood before");
                Chance("value", value);
            }

            known[key] = (value, place);
            Chance("key", key);
        }

        if (training)
        {
            RequireNextTokens(row);
        }
        else
        {
            Assert.That(row.Asked.Select(t => (t, row.Labels[t])), Is.EqualTo(asked));
        }

        Chance("noise", noisy);
        Chance("keys", known.Count);
        Chance("values", known.Values.DistinctBy(pair => pair.Value).Count());
        Chance("last key", sequence[^2]);
    }
}

/// <summary>Keys and values of up to so many tokens each; the row begins with what fills it.</summary>
internal sealed class FuzzyRecallRules(int vocab, int motif, bool training) : RowRules
{
    public override void Check(TaskRow row)
    {
        int keys = (vocab - 1) / 2, filler = vocab - 1;
        int[] sequence = row.Labels[^1] >= 0 ? row.Sequence : row.Tokens;
        int at = Array.FindIndex(sequence, token => token != filler);
        Assert.That(at, Is.InRange(0, 4 * motif));
        Dictionary<string, (int[] Value, int Place)> known = [];
        List<(int Place, int Value)> asked = [];
        bool isKnown = false;
        int pairs = 0;
        for (; at < sequence.Length; pairs++)
        {
            int place = at;
            int[] key = [.. sequence[at..].TakeWhile(token => token < keys)];
            int[] value = [.. sequence[(at + key.Length)..].TakeWhile(token => token >= keys)];
            RequireDistinct(key, 0, keys);
            RequireDistinct(value, keys, filler);
            Assert.That(key.Length, Is.InRange(training ? 1 : motif, motif));
            Assert.That(value.Length, Is.InRange(1, motif));
            at += key.Length + value.Length;
            string name = string.Join(' ', key);
            isKnown = known.TryGetValue(name, out (int[] Value, int Place) before);
            Assert.That(value, isKnown ? Is.EqualTo(before.Value) : Is.Not.Empty);
            // The published generator asks for the last value also in the rare row in which its key has not stood before.
            if (isKnown || at == sequence.Length)
            {
                asked.AddRange(value.Select((token, i) => (place + key.Length + i - 1, token)));
            }

            if (!isKnown)
            {
                known[name] = (value, place);
                Chance("length of a key", key.Length);
                Chance("length of a value", value.Length);
                Chance("token of a key", key[^1]);
                Chance("token of a value", value[^1]);
            }
        }

        if (training)
        {
            RequireNextTokens(row);
        }
        else
        {
            Assert.That(row.Asked.Select(t => (t, row.Labels[t])), Is.EqualTo(asked));
        }

        Chance("pairs", pairs);
        Chance("last key has stood before", isKnown ? 1 : 0);
    }
}
