using NanoFold.Kernels;
using NanoFold.Kernels.Memory;

namespace NanoFold.Tests.Cpu.Attention;

/// <summary>A tensor inside a larger buffer of sentinels, so that writes outside the view show.</summary>
internal sealed unsafe class GuardedTensor : IDisposable
{
    private const int Guard = 64;
    private const double Sentinel = -7777;

    private readonly NativeBuffer _buffer;
    private readonly int _elements;
    private readonly DType _type;

    /// <summary>Where each element of the view lies in the buffer.</summary>
    private readonly int[] _positions;

    /// <param name="parts">The view is this part of the last dimension …</param>
    /// <param name="of">… cut in so many: [B, T, of · H · D] holds several tensors, as a fused projection does.</param>
    public GuardedTensor(DType type, int[] shape, int parts = 0, int of = 1)
    {
        int[] outer = [.. shape[..^1], shape[^1] * of];
        if (shape.Length == 4)
        {
            outer = [shape[0], shape[1], shape[2] * shape[3] * of];
        }

        Layout layout = Layout.Of(outer);
        _elements = checked((int)layout.Count) + 2 * Guard;
        _buffer = new NativeBuffer((long)_elements * type.Size());
        View = new View(_buffer, Guard, layout, type);
        if (shape.Length == 4)
        {
            layout = layout.Slice(2, parts * shape[2] * shape[3], shape[2] * shape[3], out long offset);
            View = View.With(layout.SplitLast(shape[2]), offset);
        }

        _type = type;
        _positions = Positions(View);
        for (int i = 0; i < _elements; i++)
        {
            Set(i, Sentinel);
        }
    }

    public View View { get; }

    public int Count => _positions.Length;

    public double this[int index]
    {
        get => Get(_positions[index]);
        set => Set(_positions[index], value);
    }

    public GuardedTensor Fill(Random random, double scale = 1)
    {
        for (int i = 0; i < Count; i++)
        {
            this[i] = (float)((random.NextDouble() * 2 - 1) * scale);
        }

        return this;
    }

    public GuardedTensor Fill(Func<int, double> value)
    {
        for (int i = 0; i < Count; i++)
        {
            this[i] = value(i);
        }

        return this;
    }

    public double[] ToArray()
    {
        var values = new double[Count];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = this[i];
        }

        return values;
    }

    /// <summary>Fails where an element outside the view changed.</summary>
    public void AssertGuards()
    {
        var inside = new bool[_elements];
        for (int i = 0; i < Count; i++)
        {
            inside[_positions[i]] = true;
        }

        for (int i = 0; i < _elements; i++)
        {
            if (!inside[i] && Get(i) != Sentinel)
            {
                Assert.Fail($"element {i - Guard}, outside the view, was written: {Get(i)}");
            }
        }
    }

    public void Dispose() => _buffer.Dispose();

    // Counted up axis by axis, the last one first.
    private static int[] Positions(in View view)
    {
        Layout layout = view.Layout;
        var positions = new int[(int)layout.Count];
        var at = new int[layout.Rank];
        long position = view.Offset;
        for (int i = 0; i < positions.Length; i++)
        {
            positions[i] = (int)position;
            for (int axis = layout.Rank - 1; axis >= 0; axis--)
            {
                position += layout.Stride(axis);
                if (++at[axis] < layout[axis])
                {
                    break;
                }

                position -= at[axis] * layout.Stride(axis);
                at[axis] = 0;
            }
        }

        return positions;
    }

    private double Get(int i) => _type switch
    {
        DType.Float64 => ((double*)_buffer.Pointer)[i],
        DType.Float32 => ((float*)_buffer.Pointer)[i],
        _ => ((int*)_buffer.Pointer)[i],
    };

    private void Set(int i, double value)
    {
        switch (_type)
        {
            case DType.Float64:
                ((double*)_buffer.Pointer)[i] = value;
                break;
            case DType.Float32:
                ((float*)_buffer.Pointer)[i] = (float)value;
                break;
            default:
                ((int*)_buffer.Pointer)[i] = (int)value;
                break;
        }
    }
}
