using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Geometry.Memories;

/// <summary>A place of a text at which a unit is excited.</summary>
/// <param name="Row">The row of the text.</param>
/// <param name="At">The place in it.</param>
/// <param name="Activation">h.</param>
public readonly record struct Excitation(int Row, int At, float Activation);

/// <summary>What excites each unit of a block: the places of a text where it is largest in size, and how much larger than usual.</summary>
internal sealed class UnitKeys
{
    private readonly Excitation[][] _top;
    private readonly double[] _squares;
    private long _places;

    private UnitKeys(int units, int most)
    {
        _top = [.. Enumerable.Range(0, units).Select(_ => new Excitation[most])];
        _squares = new double[units];
    }

    /// <summary>Places that were looked at.</summary>
    public long Places => _places;

    /// <summary>The strongest places of a unit, the strongest first.</summary>
    public IReadOnlyList<Excitation> Strongest(int unit) => [.. _top[unit].Where(one => one.Activation != 0)];

    /// <summary>The root mean square of a unit over all places.</summary>
    public double Rms(int unit) => Math.Sqrt(_squares[unit] / Math.Max(1, _places));

    /// <summary>How many times its root mean square a unit's strongest place is: √N for one that answers to one place of N.</summary>
    public double Selectivity(int unit) => Rms(unit) is var rms and > 0 ? Math.Abs(_top[unit][0].Activation) / rms : 0;

    /// <summary>Looks at every place of rows but their first.</summary>
    /// <param name="model">Which model.</param>
    /// <param name="units">Of which block.</param>
    /// <param name="rows">Tokens.</param>
    /// <param name="most">Places that are kept of each unit.</param>
    public static UnitKeys Find(Transformer model, UnitValues units, IReadOnlyList<int[]> rows, int most)
    {
        var keys = new UnitKeys(units.Count, most);
        new SequenceRuns { Points = [units.Point], Read = (row, _, values) => keys.Take(row, values) }.Run(model, rows);
        return keys;
    }

    private void Take(int row, ReadOnlySpan<float> values)
    {
        int units = _top.Length, time = values.Length / units;
        _places += Math.Max(0, time - 1);
        for (int t = 1; t < time; t++)
        {
            for (int unit = 0; unit < units; unit++)
            {
                float value = values[(t * units) + unit];
                _squares[unit] += (double)value * value;
                Excitation[] top = _top[unit];
                if (Math.Abs(value) > Math.Abs(top[^1].Activation))
                {
                    int at = top.Length - 1;
                    for (; at > 0 && Math.Abs(value) > Math.Abs(top[at - 1].Activation); at--)
                    {
                        top[at] = top[at - 1];
                    }

                    top[at] = new Excitation(row, t, value);
                }
            }
        }
    }
}
