using NanoFold.Engine.Geometry.Neighbors;

namespace NanoFold.Engine.Geometry.Topology;

/// <summary>
/// Persistent cohomology in dimension 1 (de Silva, Morozov and Vejdemo-Johansson 2011), with clearing and apparent pairs (Bauer 2021). Edges are numbered by
/// length, ties by their ends; a triangle's key is number of its longest edge · N + the vertex opposite to it, which orders triangles by length and is never
/// the same for two. Columns are coboundaries of edges, from the longest edge down; a column's pivot is its first triangle.
/// </summary>
internal sealed class RipsReduction
{
    private readonly int _n;
    private readonly double[] _lengths; // by number
    private readonly (int A, int B)[] _ends;
    private readonly int[] _numbers; // [N, N]
    private readonly bool[] _joins;
    private readonly long[] _first; // first triangle of each edge, or long.MaxValue

    public RipsReduction(PairDistances distances)
    {
        _n = distances.Count;
        double[] lengths = distances.Values.ToArray();
        var ends = new (int A, int B)[lengths.Length];
        for (int a = 0, at = 0; a < _n; a++)
        {
            for (int b = a + 1; b < _n; b++)
            {
                ends[at++] = (a, b);
            }
        }

        int[] order = [.. Enumerable.Range(0, lengths.Length).OrderBy(i => lengths[i])];
        _lengths = [.. order.Select(i => lengths[i])];
        _ends = [.. order.Select(i => ends[i])];
        _numbers = new int[_n * _n];
        for (int number = 0; number < order.Length; number++)
        {
            (int a, int b) = _ends[number];
            _numbers[(a * _n) + b] = _numbers[(b * _n) + a] = number;
        }

        _joins = new bool[order.Length];
        var sets = new DisjointSets(_n);
        for (int number = 0; number < order.Length; number++)
        {
            _joins[number] = sets.Join(_ends[number].A, _ends[number].B);
        }

        _first = [.. Enumerable.Range(0, order.Length).Select(First)];
    }

    /// <summary>Lengths of the edges that join components, ascending.</summary>
    public double[] Joins() => [.. _lengths.Where((_, number) => _joins[number])];

    /// <summary>Loops with an interval, the longest first.</summary>
    public PersistentLoop[] Loops()
    {
        var loops = new List<PersistentLoop>();
        var owners = new Dictionary<long, HashSet<int>>();
        for (int edge = _ends.Length - 1; edge >= 0; edge--)
        {
            // An edge that joins components is paired already; one that is the longest of its first triangle makes a loop that is filled at once.
            if (!_joins[edge] && _first[edge] != long.MaxValue && !IsApparent(edge))
            {
                long pivot = Reduce(edge, owners);
                if (pivot != long.MaxValue && _lengths[pivot / _n] > _lengths[edge])
                {
                    loops.Add(new PersistentLoop(_lengths[edge], _lengths[pivot / _n]));
                }
            }
        }

        return [.. loops.OrderByDescending(loop => loop.Death - loop.Birth)];
    }

    private bool IsApparent(int edge) => _first[edge] / _n == edge;

    // Adds columns to the left that have the same pivot until there is none, and keeps which they were.
    private long Reduce(int edge, Dictionary<long, HashSet<int>> owners)
    {
        long pivot = _first[edge];
        if (OwnerOf(pivot, owners) is null)
        {
            owners.Add(pivot, [edge]);
            return pivot;
        }

        var triangles = new PriorityQueue<long, long>();
        var edges = new HashSet<int> { edge };
        AddTriangles(triangles, edge);
        while ((pivot = Pivot(triangles)) != long.MaxValue && OwnerOf(pivot, owners) is { } owner)
        {
            foreach (int other in owner)
            {
                AddTriangles(triangles, other);
                if (!edges.Remove(other))
                {
                    edges.Add(other);
                }
            }
        }

        if (pivot != long.MaxValue)
        {
            owners.Add(pivot, edges);
        }

        return pivot;
    }

    private IReadOnlyCollection<int>? OwnerOf(long triangle, Dictionary<long, HashSet<int>> owners)
    {
        int longest = (int)(triangle / _n);
        return _first[longest] == triangle ? [longest] : owners.GetValueOrDefault(triangle);
    }

    // Triangles that are there twice are not there; the first of the others stays in.
    private static long Pivot(PriorityQueue<long, long> triangles)
    {
        while (triangles.TryDequeue(out long pivot, out _))
        {
            if (triangles.Count == 0 || triangles.Peek() != pivot)
            {
                triangles.Enqueue(pivot, pivot);
                return pivot;
            }

            triangles.Dequeue();
        }

        return long.MaxValue;
    }

    private void AddTriangles(PriorityQueue<long, long> triangles, int edge)
    {
        (int a, int b) = _ends[edge];
        for (int vertex = 0; vertex < _n; vertex++)
        {
            if (vertex != a && vertex != b)
            {
                long key = Key(edge, a, b, vertex);
                triangles.Enqueue(key, key);
            }
        }
    }

    private long First(int edge)
    {
        (int a, int b) = _ends[edge];
        long first = long.MaxValue;
        for (int vertex = 0; vertex < _n; vertex++)
        {
            if (vertex != a && vertex != b)
            {
                first = Math.Min(first, Key(edge, a, b, vertex));
            }
        }

        return first;
    }

    private long Key(int edge, int a, int b, int vertex)
    {
        int toA = _numbers[(a * _n) + vertex], toB = _numbers[(b * _n) + vertex];
        return edge > toA && edge > toB ? ((long)edge * _n) + vertex
            : toA > toB ? ((long)toA * _n) + b
            : ((long)toB * _n) + a;
    }
}
