using System.Numerics.Tensors;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// The squared error, and that of the shortest w that fits the pairs before a place: w of y = w · x is known in the directions of the x before, and 0 is the best guess in
/// all others.
/// </summary>
internal sealed class RegressionScore(int dimensions) : TargetScore
{
    // Of what a direction has that earlier ones do not have: less is rounding.
    private const double Least = 1e-9;

    private readonly double[] _w = new double[dimensions];
    private readonly double[] _rest = new double[dimensions];
    private readonly double[] _directions = new double[dimensions * dimensions];
    private double _sum;
    private long _count;

    /// <summary>The mean squared error of least squares; NaN where there was nothing.</summary>
    public double LeastSquares => _sum / _count;

    public override void Begin()
    {
        base.Begin();
        (_sum, _count) = (0, 0);
    }

    public override void Add(BatchRows batch, ScoredValues scored)
    {
        base.Add(batch, scored);
        AddLeastSquares(batch);
    }

    /// <summary>Adds the error of least squares on the rows of a batch.</summary>
    public void AddLeastSquares(BatchRows batch)
    {
        ReadOnlySpan<int> targets = batch.Integers(BatchField.Targets);
        ReadOnlySpan<float> features = batch.Reals(BatchField.Features), values = batch.Reals(BatchField.Values);
        int time = targets.Length / batch.Rows;
        for (int row = 0; row < batch.Rows; row++)
        {
            Add(targets.Slice(row * time, time), features.Slice(row * time * dimensions, time * dimensions), values.Slice(row * time, time));
        }
    }

    public override Evaluation Result() => base.Result() with { Scores = [new Score("leastSquares", LeastSquares)] };

    private void Add(ReadOnlySpan<int> targets, ReadOnlySpan<float> features, ReadOnlySpan<float> values)
    {
        Array.Clear(_w);
        int known = 0;
        for (int place = 0; place + 1 < targets.Length; place += 2)
        {
            ReadOnlySpan<float> x = features.Slice(place * dimensions, dimensions);
            double guess = 0;
            for (int i = 0; i < dimensions; i++)
            {
                guess += _w[i] * x[i];
            }

            bool isAsked = targets[place] >= 0;
            if (isAsked)
            {
                _sum += (values[place] - guess) * (values[place] - guess);
                _count++;
            }

            double y = isAsked ? values[place] : features[(place + 1) * dimensions];
            known += Learn(x, y - guess, known) ? 1 : 0;
        }
    }

    // Adds the direction in which x leaves the earlier ones; y is what the others leave of it.
    private bool Learn(ReadOnlySpan<float> x, double y, int known)
    {
        double before = 0;
        for (int i = 0; i < dimensions; i++)
        {
            _rest[i] = x[i];
            before += _rest[i] * _rest[i];
        }

        // Twice is enough (Gram and Schmidt).
        for (int round = 0; round < 2; round++)
        {
            for (int direction = 0; direction < known; direction++)
            {
                ReadOnlySpan<double> unit = _directions.AsSpan(direction * dimensions, dimensions);
                double share = TensorPrimitives.Dot(unit, _rest);
                for (int i = 0; i < dimensions; i++)
                {
                    _rest[i] -= share * unit[i];
                }
            }
        }

        double squares = TensorPrimitives.SumOfSquares<double>(_rest);
        if (known == dimensions || squares <= Least * before)
        {
            return false;
        }

        for (int i = 0; i < dimensions; i++)
        {
            _w[i] += y / squares * _rest[i];
            _directions[(known * dimensions) + i] = _rest[i] / Math.Sqrt(squares);
        }

        return true;
    }
}
