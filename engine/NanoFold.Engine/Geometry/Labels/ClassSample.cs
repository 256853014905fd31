namespace NanoFold.Engine.Geometry.Labels;

/// <summary>The rows of a cloud that have a class, of the classes that are frequent enough.</summary>
public sealed class ClassSample
{
    private ClassSample(int[] rows, int[] classes, int[] numbers) => (Rows, Classes, Numbers) = (rows, classes, numbers);

    /// <summary>Row numbers, ascending, [N].</summary>
    public int[] Rows { get; }

    /// <summary>Their classes, 0 … C − 1, the most frequent first, [N].</summary>
    public int[] Classes { get; }

    /// <summary>What the classes were called before, [C].</summary>
    public int[] Numbers { get; }

    /// <summary>C.</summary>
    public int Count => Numbers.Length;

    /// <summary>Chooses classes.</summary>
    /// <param name="labels">The class of each row, −1 for none.</param>
    /// <param name="least">Rows of a class at least.</param>
    /// <param name="most">So many classes at most, the most frequent; of two alike the one of the lower number.</param>
    public static ClassSample Of(ReadOnlySpan<int> labels, int least = 2, int most = int.MaxValue)
    {
        var counts = new Dictionary<int, int>();
        foreach (int label in labels)
        {
            if (label >= 0)
            {
                counts[label] = counts.GetValueOrDefault(label) + 1;
            }
        }

        int[] numbers = [.. counts.Where(pair => pair.Value >= least).OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key).Take(most).Select(pair => pair.Key)];
        var order = new Dictionary<int, int>(numbers.Select((number, i) => KeyValuePair.Create(number, i)));
        List<int> rows = [], classes = [];
        for (int row = 0; row < labels.Length; row++)
        {
            if (labels[row] >= 0 && order.TryGetValue(labels[row], out int at))
            {
                rows.Add(row);
                classes.Add(at);
            }
        }

        return new ClassSample([.. rows], [.. classes], numbers);
    }

    /// <summary>The same classes in the first rows only.</summary>
    internal ClassSample First(int rows) => rows >= Rows.Length ? this : new ClassSample(Rows[..rows], Classes[..rows], Numbers);

    /// <summary>The share of the rows that are of the most frequent class: what guessing it scores.</summary>
    public double? Majority => Rows.Length > 0 ? (double)Classes.Count(one => one == 0) / Rows.Length : null;
}
