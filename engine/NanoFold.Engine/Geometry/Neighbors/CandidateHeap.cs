using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Neighbors;

/// <summary>Keeps the smallest scores seen, as a bounded heap with the largest on top.</summary>
internal sealed class CandidateHeap(int capacity)
{
    private readonly double[] _scores = new double[capacity];
    private readonly int[] _items = new int[capacity];
    private int _count;

    /// <summary>A score at or above this cannot enter: the largest kept, or +∞ while there is room.</summary>
    public double Threshold { get; private set; } = double.PositiveInfinity;

    /// <summary>What is kept, in no order.</summary>
    public ReadOnlySpan<int> Items => _items.AsSpan(0, _count);

    /// <summary>Empties the heap.</summary>
    public void Clear()
    {
        _count = 0;
        Threshold = double.PositiveInfinity;
    }

    /// <summary>Adds an item whose score is below <see cref="Threshold"/>.</summary>
    public void Push(double score, int item)
    {
        if (_count < _scores.Length)
        {
            int at = _count++;
            for (int parent; at > 0 && _scores[parent = (at - 1) / 2] < score; at = parent)
            {
                Move(parent, at);
            }

            Place(at, score, item);
        }
        else
        {
            int at = 0;
            for (int child; (child = (2 * at) + 1) < _count; at = child)
            {
                if (child + 1 < _count && _scores[child + 1] > _scores[child])
                {
                    child++;
                }

                if (_scores[child] <= score)
                {
                    break;
                }

                Move(child, at);
            }

            Place(at, score, item);
        }

        if (_count == _scores.Length)
        {
            Threshold = _scores[0];
        }
    }

    private void Move(int from, int to) => Place(to, _scores[from], _items[from]);

    private void Place(int at, double score, int item)
    {
        _scores[at] = score;
        _items[at] = item;
    }
}
