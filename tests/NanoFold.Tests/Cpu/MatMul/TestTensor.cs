using NanoFold.Kernels;
using NanoFold.Kernels.Memory;

namespace NanoFold.Tests.Cpu.MatMul;

/// <summary>A random tensor [1, .., rows, columns] of any strides inside a larger buffer of marks, so that a write beside it is found.</summary>
internal sealed unsafe class TestTensor : IDisposable
{
    private const int Guard = 21;
    private const double Mark = -77.25;

    private readonly NativeBuffer _buffer;
    private double[] _before;

    /// <param name="shape">The shape without the leading 1.</param>
    /// <param name="order">Dimensions from the outermost to the innermost in memory; null as they come.</param>
    /// <param name="padding">Elements left out between one run of the innermost dimension and the next.</param>
    /// <param name="step">Distance of neighbors in the innermost dimension.</param>
    public TestTensor(Random random, DType type, int[] shape, int[]? order = null, int padding = 0, int step = 1)
    {
        order ??= [.. Enumerable.Range(0, shape.Length)];
        int[] room = [.. order.Select(axis => shape[axis]), step];
        room[^2] += padding;
        Layout stored = Layout.Of(room);
        long count = stored.Count;
        int[] axes = [shape.Length, .. Enumerable.Range(0, shape.Length).Select(axis => Array.IndexOf(order, axis))];
        Layout layout = stored.Slice(-1, 0, 1, out _).Slice(-2, 0, shape[order[^1]], out _).Permute(axes);

        _buffer = new NativeBuffer((count + 2 * Guard) * type.Size());
        View = new View(_buffer, Guard, layout, type);
        for (long i = 0; i < count + 2 * Guard; i++)
        {
            Write(i, Mark);
        }

        foreach (long offset in Offsets())
        {
            Write(offset, random.NextDouble() * 2 - 1);
        }

        _before = Snapshot();
    }

    public View View { get; }

    /// <summary>The element at an index into the view, of which leading ones that the view has not are ignored; dimensions of length 1 take any index.</summary>
    public double this[params int[] index]
    {
        get
        {
            long offset = View.Offset;
            for (int i = 1; i <= Math.Min(index.Length, View.Layout.Rank); i++)
            {
                offset += View.Layout[-i] == 1 ? 0 : index[^i] * View.Layout.Stride(-i);
            }

            return Read(offset);
        }
    }

    /// <summary>The bits of the whole buffer.</summary>
    public double[] Snapshot()
    {
        var values = new double[_buffer.Bytes / View.Type.Size()];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Read(i);
        }

        return values;
    }

    /// <summary>The matrix at an index of the leading dimensions, row by row, or its transpose.</summary>
    public double[] Matrix(int[] batch, bool transposed)
    {
        int rows = View.Layout[transposed ? -1 : -2], columns = View.Layout[transposed ? -2 : -1];
        long row = View.Layout.Stride(transposed ? -1 : -2), column = View.Layout.Stride(transposed ? -2 : -1);
        long start = View.Offset;
        for (int i = 3; i <= View.Layout.Rank; i++)
        {
            start += View.Layout[-i] == 1 ? 0 : batch[^(i - 2)] * View.Layout.Stride(-i);
        }

        var values = new double[rows * columns];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Read(start + i / columns * row + i % columns * column);
        }

        return values;
    }

    /// <summary>Rounds the elements to bfloat16.</summary>
    public void Round()
    {
        foreach (long offset in Offsets())
        {
            Write(offset, BFloat16.ToSingle(BFloat16.FromSingle((float)Read(offset))));
        }

        _before = Snapshot();
    }

    public void Restore()
    {
        for (int i = 0; i < _before.Length; i++)
        {
            Write(i, _before[i]);
        }
    }

    /// <summary>True where nothing but the view's own elements changed since the tensor was made.</summary>
    public bool OutsideUntouched()
    {
        double[] now = Snapshot();
        foreach (long offset in Offsets())
        {
            now[offset] = _before[offset];
        }

        return now.AsSpan().SequenceEqual(_before);
    }

    public void Dispose() => _buffer.Dispose();

    private IEnumerable<long> Offsets()
    {
        Layout layout = View.Layout;
        long count = layout.Count;
        for (long i = 0; i < count; i++)
        {
            long rest = i, offset = View.Offset;
            for (int d = layout.Rank - 1; d >= 0; d--)
            {
                offset += rest % layout[d] * layout.Stride(d);
                rest /= layout[d];
            }

            yield return offset;
        }
    }

    private double Read(long i) => View.Type == DType.Float64 ? ((double*)_buffer.Pointer)[i] : ((float*)_buffer.Pointer)[i];

    private void Write(long i, double value)
    {
        if (View.Type == DType.Float64)
        {
            ((double*)_buffer.Pointer)[i] = value;
        }
        else
        {
            ((float*)_buffer.Pointer)[i] = (float)value;
        }
    }
}
