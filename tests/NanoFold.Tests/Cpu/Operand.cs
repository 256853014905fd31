using NanoFold.Kernels;
using NanoFold.Kernels.Memory;

namespace NanoFold.Tests.Cpu;

/// <summary>A tensor for tests, in memory whose every other byte is a guard: before, behind, and between its rows.</summary>
internal sealed class Operand : IDisposable
{
    private const byte Guard = 0xA7;
    private const int GuardElements = 16;

    private readonly NativeBuffer _buffer;
    private readonly long[] _elements;

    public Operand(DType type, Layout layout, long offset, IEnumerable<double>? values = null)
    {
        _buffer = new NativeBuffer((offset + layout.Extent + 2 * GuardElements) * type.Size());
        _buffer.Span<byte>().Fill(Guard);
        View = new View(_buffer, GuardElements + offset, layout, type);
        _elements = [.. Elements(layout).Select(element => element + View.Offset)];
        Values = [.. values ?? new double[_elements.Length]];
    }

    public Operand(DType type, int[] shape, IEnumerable<double>? values = null)
        : this(type, Layout.Of(shape), 0, values)
    {
    }

    public View View { get; }

    /// <summary>In row-major order.</summary>
    public double[] Values
    {
        get => [.. _elements.Select(Read)];
        set
        {
            Assert.That(value, Has.Length.EqualTo(_elements.Length));
            for (int i = 0; i < value.Length; i++)
            {
                Write(_elements[i], value[i]);
            }
        }
    }

    public double this[long index]
    {
        get => Read(_elements[index]);
        set => Write(_elements[index], value);
    }

    /// <summary>Random numbers of about order one, the same for the same seed.</summary>
    public static double[] Random(int seed, long count, double scale = 1)
    {
        var random = new Random(seed);
        var values = new double[count];
        for (long i = 0; i < count; i++)
        {
            // Exact in single precision, so that every lane sees the same numbers.
            values[i] = (float)(scale * (random.NextDouble() * 4 - 2));
        }

        return values;
    }

    /// <summary>The heads [B, T, H, D] of a projection whose rows hold other things before and behind them.</summary>
    public static Operand Heads(DType type, int batch, int time, int heads, int headDim, IEnumerable<double>? values = null)
    {
        Layout layout = Layout.Of(batch, time, heads * headDim + 8).Slice(2, 3, heads * headDim, out long offset).SplitLast(heads);
        return new Operand(type, layout, offset, values);
    }

    public byte[] Bytes => _buffer.Span<byte>().ToArray();

    public void AssertGuards()
    {
        int size = View.Type.Size();
        var own = new HashSet<long>(_elements);
        ReadOnlySpan<byte> bytes = _buffer.Span<byte>();
        for (int i = 0; i < bytes.Length; i++)
        {
            if (bytes[i] != Guard && !own.Contains(i / size))
            {
                Assert.Fail($"byte {i} outside of the tensor was written");
            }
        }
    }

    public void Dispose() => _buffer.Dispose();

    private static IEnumerable<long> Elements(Layout layout)
    {
        for (long i = 0; i < layout.Count; i++)
        {
            long rest = i, element = 0;
            for (int axis = layout.Rank - 1; axis >= 0; axis--)
            {
                element += rest % layout[axis] * layout.Stride(axis);
                rest /= layout[axis];
            }

            yield return element;
        }
    }

    private double Read(long element) => View.Type switch
    {
        DType.Float64 => _buffer.Span<double>()[(int)element],
        DType.Float32 => _buffer.Span<float>()[(int)element],
        _ => _buffer.Span<int>()[(int)element],
    };

    private void Write(long element, double value)
    {
        switch (View.Type)
        {
            case DType.Float64:
                _buffer.Span<double>()[(int)element] = value;
                break;
            case DType.Float32:
                _buffer.Span<float>()[(int)element] = (float)value;
                break;
            default:
                _buffer.Span<int>()[(int)element] = (int)value;
                break;
        }
    }
}
