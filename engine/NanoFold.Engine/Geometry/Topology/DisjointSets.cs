using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Topology;

/// <summary>Connected components of a graph whose edges arrive one by one (union by size, path halving; Tarjan 1975).</summary>
public sealed class DisjointSets
{
    private readonly int[] _parents;
    private readonly int[] _sizes;

    /// <param name="count">Points, each alone at first.</param>
    public DisjointSets(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        _parents = new int[count];
        _sizes = new int[count];
        for (int i = 0; i < count; i++)
        {
            (_parents[i], _sizes[i]) = (i, 1);
        }

        (Components, Largest) = (count, 1);
    }

    /// <summary>How many components there are.</summary>
    public int Components { get; private set; }

    /// <summary>Points of the largest one.</summary>
    public int Largest { get; private set; }

    /// <summary>Share of the points in the largest one: of a random graph of mean degree c, the root of S = 1 − e^(−cS).</summary>
    public double LargestShare => (double)Largest / _parents.Length;

    /// <summary>The component of a point, by one of its members.</summary>
    public int Find(int point)
    {
        while (_parents[point] != point)
        {
            point = _parents[point] = _parents[_parents[point]];
        }

        return point;
    }

    /// <summary>Adds an edge; whether it joined two components.</summary>
    public bool Join(int a, int b)
    {
        (a, b) = (Find(a), Find(b));
        if (a == b)
        {
            return false;
        }

        (a, b) = _sizes[a] >= _sizes[b] ? (a, b) : (b, a);
        _parents[b] = a;
        _sizes[a] += _sizes[b];
        Largest = Math.Max(Largest, _sizes[a]);
        Components--;
        return true;
    }
}
