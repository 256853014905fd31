using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs.Interventions;

/// <summary>What stood at a point, pass by pass.</summary>
/// <param name="Shape">Of a pass, [B, T, ..].</param>
/// <param name="Passes">The values of each.</param>
internal sealed record PointValues(int[] Shape, List<float[]> Passes)
{
    // Of all points together: what a host has room for beside a model.
    private const long MostBytes = 2L << 30;

    /// <summary>Reads points while a model goes through rows of a task.</summary>
    /// <param name="model">The model.</param>
    /// <param name="task">The task.</param>
    /// <param name="pattern">Names of the points.</param>
    /// <param name="shape">Of a batch.</param>
    /// <param name="rows">How many rows, evenly spaced; 0 for all.</param>
    /// <param name="cancel">Looked at between two batches.</param>
    /// <returns>By their full names.</returns>
    /// <exception cref="UserException">The model has no such point, or there are too many values to hold.</exception>
    public static IReadOnlyDictionary<string, PointValues> Of(Transformer model, LearningTask task, string pattern, BatchShape shape, int rows, CancellationToken cancel)
    {
        var reader = new Reader(pattern);
        using var evaluator = new Evaluator(model, task, shape, rows);
        _ = evaluator.Run(new TapSet([reader]), part: true, cancel);
        return reader.Values;
    }

    private sealed class Reader(string pattern) : ITapReader
    {
        private long _bytes;

        public string Pattern => pattern;

        public Dictionary<string, PointValues> Values { get; } = [];

        public void Read(TapValue value)
        {
            _bytes += (long)value.Count * sizeof(float);
            if (_bytes > MostBytes)
            {
                throw new UserException($"{pattern}: has more than {Display.Bytes(MostBytes)} of values on these rows; name fewer points or take fewer rows");
            }

            if (!Values.TryGetValue(value.Name, out PointValues? values))
            {
                values = new PointValues(value.Layout.ToShape(), []);
                Values.Add(value.Name, values);
            }

            values.Passes.Add(value.ToArray());
        }
    }
}
