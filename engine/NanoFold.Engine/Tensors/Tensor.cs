using NanoFold.Kernels;

namespace NanoFold.Engine.Tensors;

/// <summary>
/// A handle to a value on a tape: which value, and how this handle sees it. Reshapes, permutations and slices are handles
/// to the same value; they record nothing and copy nothing.
/// </summary>
public readonly struct Tensor
{
    private readonly int _idPlusOne;

    internal Tensor(int id, long offset, Layout layout, DType type)
    {
        _idPlusOne = id + 1;
        Offset = offset;
        Layout = layout;
        Type = type;
    }

    /// <summary>True for an optional tensor that is not there.</summary>
    public bool IsNone => _idPlusOne == 0;

    public Layout Layout { get; }

    public DType Type { get; }

    internal int Id => _idPlusOne - 1;

    /// <summary>First element seen, in elements of the value.</summary>
    internal long Offset { get; }

    /// <summary>Length of a dimension; negative axes count from the end.</summary>
    public int this[int axis] => Layout[axis];

    public Tensor Reshape(params ReadOnlySpan<int> shape) => With(Layout.Reshape(shape), 0);

    public Tensor Permute(params ReadOnlySpan<int> axes) => With(Layout.Permute(axes), 0);

    public Tensor Slice(int axis, int start, int length)
    {
        Layout layout = Layout.Slice(axis, start, length, out long offset);
        return With(layout, offset);
    }

    /// <summary>[.., outer · n] seen as [.., outer, n].</summary>
    public Tensor SplitLast(int outer) => With(Layout.SplitLast(outer), 0);

    public override string ToString() => IsNone ? "none" : $"{Type}{Layout}";

    private Tensor With(in Layout layout, long offset) => new(Id, Offset + offset, layout, Type);
}
