using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Autograd;

/// <summary>The parts of a value's last dimension that handles see, each of all rows: as queries, keys and values are parts of one product.</summary>
/// <param name="whole">The value's layout, contiguous.</param>
internal sealed class LastAxisParts(Layout whole)
{
    private readonly SortedDictionary<long, int> _lengths = [];
    private readonly int _width = whole.Rank == 0 ? 1 : whole[-1];
    private bool _isOther;

    /// <summary>Whether the parts, the one after the other, are the whole, so that each element is in one of them.</summary>
    public bool AreWhole
    {
        get
        {
            long next = 0;
            foreach ((long start, int length) in _lengths)
            {
                if (start != next)
                {
                    return false;
                }

                next += length;
            }

            return !_isOther && next == _width;
        }
    }

    public void Add(Tensor handle)
    {
        int length = LengthOf(handle);
        _isOther |= length == 0 || (_lengths.TryGetValue(handle.Offset, out int other) && other != length);
        if (!_isOther)
        {
            _lengths[handle.Offset] = length;
        }
    }

    // How much of each row a handle sees, whatever the order of its dimensions; 0 where it sees something else.
    private int LengthOf(Tensor handle)
    {
        Layout layout = handle.Layout;
        long seen = 1;
        int length = 0;
        foreach (int axis in Enumerable.Range(0, layout.Rank).Where(axis => layout[axis] > 1).OrderBy(axis => layout.Stride(axis)))
        {
            // The first step that is none to the next element is one to the next row.
            if (length == 0 && layout.Stride(axis) != seen)
            {
                (length, seen) = (checked((int)seen), _width);
            }

            if (layout.Stride(axis) != seen)
            {
                return 0;
            }

            seen *= layout[axis];
        }

        length = length == 0 ? checked((int)Math.Min(seen, _width)) : length;
        return handle.Offset + length <= _width && layout.Count == whole.Count / _width * length ? length : 0;
    }
}
