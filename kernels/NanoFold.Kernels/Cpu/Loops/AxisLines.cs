using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Loops;

/// <summary>What is done with a line along an axis, or with as many lines side by side as a lane has elements.</summary>
internal unsafe interface ILineBody
{
    /// <summary>Whether <see cref="Lanes"/> is there.</summary>
    static abstract bool HasLanes { get; }

    void Line<V>(byte* x, byte* y, byte* z)
        where V : struct, ICpuLane<V>;

    /// <summary>Lines whose elements lie beside each other in all operands.</summary>
    void Lanes<V, P>(byte* x, byte* y, byte* z, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>;
}

/// <summary>All lines of up to three operands along an axis, in which alone their shapes may differ; cut by shape. The last operand may be of integers.</summary>
internal unsafe struct AxisLines<TBody> : ILaneWork
    where TBody : struct, ILineBody
{
    private const int ItemElements = 16384;

    private readonly TBody _body;
    private readonly Nest _nest;
    private readonly RowCut _cut;
    private readonly byte* _x;
    private readonly byte* _y;
    private readonly byte* _z;
    private readonly int _zSize;
    private readonly bool _beside;

    public AxisLines(TBody body, int axis, in View x, in View y, in View z)
    {
        _body = body;
        Layout lines = x.Layout.Select(axis, 0, out _);
        _nest = new Nest(lines);
        _nest.Add(y.Layout.Select(axis, 0, out _), lines);
        _nest.Add(z.IsNone ? lines : z.Layout.Select(axis, 0, out _), lines);
        _nest.Collapse();
        _x = (byte*)x.Address;
        _y = (byte*)y.Address;
        _z = (byte*)z.Address;
        _zSize = z.IsNone ? 0 : z.Type.Size();
        _beside = TBody.HasLanes && _nest.Rank > 0 && _nest.InnerStride(0) == 1 && _nest.InnerStride(1) == 1 && (z.IsNone || _nest.InnerStride(2) == 1);
        _cut = new RowCut(_nest.Rows, _nest.Inner, Math.Max(64, ItemElements / Math.Max(x.Layout[axis], y.Layout[axis])));
    }

    public static void Run(CpuContext context, TBody body, int axis, in View x, in View y, in View z = default)
    {
        var work = new AxisLines<TBody>(body, axis, x, y, z);
        context.Run(x.Type, work._cut.Items, ref work, Math.Max(x.Count, y.Count) >= ItemElements);
    }

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        _cut.Item(item, out long firstRow, out long rows, out long start, out long length);
        int size = V.Type.Size();
        var cursor = new NestCursor(_nest, firstRow);
        for (long row = 0; row < rows; row++, cursor.Next(_nest))
        {
            byte* x = _x + (cursor.Offset(0) + start * _nest.InnerStride(0)) * size, y = _y + (cursor.Offset(1) + start * _nest.InnerStride(1)) * size;
            byte* z = _z is null ? null : _z + (cursor.Offset(2) + start * _nest.InnerStride(2)) * _zSize;
            long i = 0;
            for (; _beside && i <= length - V.Width; i += V.Width)
            {
                _body.Lanes<V, Whole<V>>(x + i * size, y + i * size, z + i * _zSize, V.Width);
            }

            if (_beside && i < length)
            {
                _body.Lanes<V, Part<V>>(x + i * size, y + i * size, z + i * _zSize, (int)(length - i));
            }

            for (i = _beside ? length : 0; i < length; i++)
            {
                _body.Line<V>(x + i * _nest.InnerStride(0) * size, y + i * _nest.InnerStride(1) * size, z + i * _nest.InnerStride(2) * _zSize);
            }
        }
    }
}
