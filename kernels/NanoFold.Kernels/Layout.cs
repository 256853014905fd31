using System.Runtime.CompilerServices;

namespace NanoFold.Kernels;

/// <summary>
/// Shape and strides, in elements, of up to <see cref="MaxRank"/> dimensions; apart from any storage.
/// A dimension of stride 0 is broadcast.
/// </summary>
public readonly struct Layout : IEquatable<Layout>
{
    public const int MaxRank = 6;

    private readonly Dimensions _shape;
    private readonly Dimensions _strides;

    private Layout(int rank, in Dimensions shape, in Dimensions strides)
    {
        Rank = rank;
        _shape = shape;
        _strides = strides;
    }

    /// <summary>A contiguous, row-major layout.</summary>
    /// <exception cref="ArgumentException">More than <see cref="MaxRank"/> dimensions, or one below 1.</exception>
    public static Layout Of(params ReadOnlySpan<int> shape)
    {
        if (shape.Length > MaxRank)
        {
            throw new ArgumentException($"layout: at most {MaxRank} dimensions, got {shape.Length}");
        }

        Dimensions dims = default, strides = default;
        long stride = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            if (shape[i] < 1)
            {
                throw new ArgumentException($"layout: dimension {i} is {shape[i]}, expected at least 1");
            }

            dims[i] = shape[i];
            strides[i] = stride;
            stride = checked(stride * shape[i]);
        }

        return new Layout(shape.Length, dims, strides);
    }

    public int Rank { get; }

    /// <summary>Length of dimension <paramref name="axis"/>; negative axes count from the end.</summary>
    public int this[int axis] => checked((int)_shape[Axis(axis)]);

    /// <summary>Elements between neighbors along <paramref name="axis"/>.</summary>
    public long Stride(int axis) => _strides[Axis(axis)];

    /// <summary>Number of elements, broadcast ones included.</summary>
    public long Count
    {
        get
        {
            long count = 1;
            for (int i = 0; i < Rank; i++)
            {
                count *= _shape[i];
            }

            return count;
        }
    }

    /// <summary>Product of all dimensions but the last: the rows that row ops see.</summary>
    public long Rows => Rank == 0 ? 1 : Count / this[-1];

    public bool IsContiguous
    {
        get
        {
            long stride = 1;
            for (int i = Rank - 1; i >= 0; i--)
            {
                if (_shape[i] != 1 && _strides[i] != stride)
                {
                    return false;
                }

                stride *= _shape[i];
            }

            return true;
        }
    }

    /// <summary>Elements from the first to just after the last one touched.</summary>
    public long Extent
    {
        get
        {
            long last = 0;
            for (int i = 0; i < Rank; i++)
            {
                last += (_shape[i] - 1) * _strides[i];
            }

            return last + 1;
        }
    }

    /// <summary>The same shape without gaps, row-major.</summary>
    public Layout Contiguous()
    {
        Dimensions strides = default;
        long stride = 1;
        for (int i = Rank - 1; i >= 0; i--)
        {
            strides[i] = stride;
            stride *= _shape[i];
        }

        return new Layout(Rank, _shape, strides);
    }

    /// <summary>The same elements under another shape; the layout must be contiguous and the counts equal.</summary>
    public Layout Reshape(params ReadOnlySpan<int> shape)
    {
        Layout result = Of(shape);
        if (!IsContiguous || result.Count != Count)
        {
            throw new ArgumentException($"reshape: {this} cannot be seen as {result}");
        }

        return result;
    }

    /// <summary>Dimensions in another order.</summary>
    public Layout Permute(params ReadOnlySpan<int> axes)
    {
        if (axes.Length != Rank)
        {
            throw new ArgumentException($"permute: {this} has {Rank} dimensions, got {axes.Length} axes");
        }

        Dimensions dims = default, strides = default;
        int seen = 0;
        for (int i = 0; i < Rank; i++)
        {
            int axis = axes[i];
            if ((uint)axis >= (uint)Rank)
            {
                throw new ArgumentException($"permute: {this} has no dimension {axis}");
            }

            dims[i] = _shape[axis];
            strides[i] = _strides[axis];
            seen |= 1 << axis;
        }

        return seen == (1 << Rank) - 1
            ? new Layout(Rank, dims, strides)
            : throw new ArgumentException("permute: each axis once");
    }

    /// <summary>The part [start, start + length) of <paramref name="axis"/>; <paramref name="offset"/> is where it begins, in elements.</summary>
    public Layout Slice(int axis, int start, int length, out long offset)
    {
        axis = Axis(axis);
        if (start < 0 || length < 1 || start + (long)length > _shape[axis])
        {
            throw new ArgumentException($"slice: [{start}, {start + (long)length}) is outside dimension {axis} of {this}");
        }

        Dimensions dims = _shape;
        dims[axis] = length;
        offset = start * _strides[axis];
        return new Layout(Rank, dims, _strides);
    }

    /// <summary>The same strides with another length of <paramref name="axis"/>: where it is more, elements go on beyond those that were seen.</summary>
    internal Layout WithLength(int axis, int length)
    {
        Dimensions dims = _shape;
        dims[Axis(axis)] = length;
        return new Layout(Rank, dims, _strides);
    }

    /// <summary>The part at <paramref name="index"/> of <paramref name="axis"/>, without that dimension; <paramref name="offset"/> is where it begins, in elements.</summary>
    public Layout Select(int axis, int index, out long offset)
    {
        axis = Axis(axis);
        Layout part = Slice(axis, index, 1, out offset);
        Dimensions dims = part._shape, strides = part._strides;
        for (int i = axis; i < Rank - 1; i++)
        {
            dims[i] = dims[i + 1];
            strides[i] = strides[i + 1];
        }

        return new Layout(Rank - 1, dims, strides);
    }

    /// <summary>Splits the last dimension into (<paramref name="outer"/>, rest), whatever the strides of the others.</summary>
    public Layout SplitLast(int outer)
    {
        int length = this[-1];
        if (outer < 1 || length % outer != 0 || Rank == MaxRank)
        {
            throw new ArgumentException($"split: {outer} does not divide the last dimension of {this}");
        }

        Dimensions dims = _shape, strides = _strides;
        long stride = strides[Rank - 1];
        dims[Rank - 1] = outer;
        strides[Rank - 1] = stride * (length / outer);
        dims[Rank] = length / outer;
        strides[Rank] = stride;
        return new Layout(Rank + 1, dims, strides);
    }

    /// <summary>This layout seen with the shape of <paramref name="target"/>: missing or length-1 dimensions get stride 0.</summary>
    public Layout BroadcastTo(in Layout target)
    {
        Dimensions strides = default;
        for (int i = 0; i < target.Rank; i++)
        {
            int own = i - (target.Rank - Rank);
            if (own >= 0 && _shape[own] == target._shape[i])
            {
                strides[i] = _strides[own];
            }
            else if (own >= 0 && _shape[own] != 1)
            {
                throw new ArgumentException($"broadcast: {this} does not fit {target}");
            }
        }

        return Rank <= target.Rank
            ? new Layout(target.Rank, target._shape, strides)
            : throw new ArgumentException($"broadcast: {this} does not fit {target}");
    }

    public bool SameShape(in Layout other)
    {
        if (Rank != other.Rank)
        {
            return false;
        }

        for (int i = 0; i < Rank; i++)
        {
            if (_shape[i] != other._shape[i])
            {
                return false;
            }
        }

        return true;
    }

    public int[] ToShape()
    {
        var shape = new int[Rank];
        for (int i = 0; i < Rank; i++)
        {
            shape[i] = (int)_shape[i];
        }

        return shape;
    }

    public bool Equals(Layout other)
    {
        if (!SameShape(other))
        {
            return false;
        }

        for (int i = 0; i < Rank; i++)
        {
            if (_strides[i] != other._strides[i])
            {
                return false;
            }
        }

        return true;
    }

    public override bool Equals(object? obj) => obj is Layout other && Equals(other);

    public override int GetHashCode()
    {
        var hash = default(HashCode);
        for (int i = 0; i < Rank; i++)
        {
            hash.Add(_shape[i]);
            hash.Add(_strides[i]);
        }

        return hash.ToHashCode();
    }

    public static bool operator ==(Layout left, Layout right) => left.Equals(right);

    public static bool operator !=(Layout left, Layout right) => !left.Equals(right);

    /// <summary>The shape, as in <c>[12, 64, 128]</c>.</summary>
    public override string ToString() => $"[{string.Join(", ", ToShape())}]";

    private int Axis(int axis)
    {
        int index = axis < 0 ? axis + Rank : axis;
        return (uint)index < (uint)Rank
            ? index
            : throw new ArgumentOutOfRangeException(nameof(axis), $"layout {this} has no dimension {axis}");
    }

    [InlineArray(MaxRank)]
    private struct Dimensions
    {
        private long _first;
    }
}
