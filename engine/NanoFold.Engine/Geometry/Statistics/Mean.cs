namespace NanoFold.Engine.Geometry.Statistics;

/// <summary>A mean of what there is, with its standard error; values that are missing or not finite are left out.</summary>
public struct Mean
{
    private double _sum;
    private double _squares;

    /// <summary>Values in it.</summary>
    public long Count { get; private set; }

    /// <summary>TooFewPoints while there is none.</summary>
    public readonly GeometryStatus Status => Count > 0 ? GeometryStatus.Ok : GeometryStatus.TooFewPoints;

    /// <summary>The mean, or null.</summary>
    public readonly double? Value => Count > 0 ? _sum / Count : null;

    /// <summary>Its standard error, as if the values were independent; null for fewer than two.</summary>
    public readonly double? Error => Count > 1 ? Math.Sqrt(Math.Max(0, (_squares / Count) - (_sum / Count * (_sum / Count))) / (Count - 1)) : null;

    /// <summary>Takes a value in.</summary>
    public void Add(double? value)
    {
        if (value is { } number && double.IsFinite(number))
        {
            _sum += number;
            _squares += number * number;
            Count++;
        }
    }

    /// <summary>Takes all values of another one in.</summary>
    public void Join(in Mean other)
    {
        _sum += other._sum;
        _squares += other._squares;
        Count += other.Count;
    }
}
