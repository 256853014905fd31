namespace NanoFold.Kernels.Cpu.Loops;

/// <summary>The rows of a view: everything but the last dimension, as one index.</summary>
internal readonly unsafe struct ViewRows
{
    private readonly Nest _nest;
    private readonly byte* _address;
    private readonly int _size;

    public ViewRows(in View x)
    {
        _nest = new Nest(x.Layout);
        _address = (byte*)x.Address;
        _size = x.Type.Size();
        Count = x.Layout.Rows;
        Length = x.Layout[-1];
        Stride = x.Layout.Stride(-1);
    }

    public long Count { get; }

    /// <summary>Elements of a row.</summary>
    public int Length { get; }

    /// <summary>Elements between neighbors of a row.</summary>
    public long Stride { get; }

    public void* this[long row] => _address + _nest.Offset(0, row) * _size;
}
