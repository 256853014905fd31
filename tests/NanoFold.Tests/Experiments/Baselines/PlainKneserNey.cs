namespace NanoFold.Tests.Experiments.Baselines;

/// <summary>The same model by its formulas, with dictionaries: the sequences of every order are kept, and a probability is a recursion.</summary>
internal sealed class PlainKneserNey
{
    private readonly int _vocab;
    private readonly int _order;
    private readonly Dictionary<string, int>[] _counts;
    private readonly double[][] _discounts;

    public PlainKneserNey(int[] train, int vocab, int order)
    {
        (_vocab, _order) = (vocab, order);
        _counts = [.. Enumerable.Range(0, order + 1).Select(_ => new Dictionary<string, int>())];
        _discounts = new double[order + 1][];
        for (int i = 0; i + order <= train.Length; i++)
        {
            Add(_counts[order], train[i..(i + order)]);
        }

        for (int n = order; n > 0; n--)
        {
            foreach (string sequence in _counts[n].Keys)
            {
                Add(_counts[n - 1], Read(sequence)[1..]);
            }

            long[] of = [.. Enumerable.Range(1, 4).Select(count => _counts[n].Values.LongCount(value => value == count))];
            double y = of[0] / (of[0] + (2.0 * of[1]));
            double[] d = [0, 1 - (2 * y * of[1] / of[0]), 2 - (3 * y * of[2] / of[1]), 3 - (4 * y * of[3] / of[2])];
            _discounts[n] = Enumerable.Range(1, 3).All(i => d[i] >= 0 && d[i] <= i) ? d : [0, 0.5, 1, 1.5];
            Fallbacks += ReferenceEquals(_discounts[n], d) ? 0 : 1;
        }
    }

    /// <summary>Orders whose counts gave no discounts.</summary>
    public int Fallbacks { get; }

    /// <summary>p(w | h).</summary>
    public double Of(int[] history, int word)
    {
        history = history[Math.Max(0, history.Length - _order + 1)..];
        int n = history.Length + 1;
        int[] after = [.. Enumerable.Range(0, _vocab).Select(v => _counts[n].GetValueOrDefault(Write([.. history, v])))];
        double lower = n == 1 ? 1.0 / _vocab : Of(history[1..], word), sum = after.Sum();
        if (sum == 0)
        {
            return lower;
        }

        double D(int count) => _discounts[n][Math.Min(count, 3)];
        return (Math.Max(0, after[word] - D(after[word])) + (after.Where(count => count > 0).Sum(D) * lower)) / sum;
    }

    private static void Add(Dictionary<string, int> counts, int[] sequence) => counts[Write(sequence)] = counts.GetValueOrDefault(Write(sequence)) + 1;

    private static string Write(int[] sequence) => string.Join(' ', sequence);

    private static int[] Read(string sequence) => [.. sequence.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
}
