using NanoFold.Kernels;

namespace NanoFold.Gpu.Tests;

/// <summary>Values between the host, where they are floats, and a backend; what was allocated is freed with it.</summary>
internal sealed class Memory(Backend backend) : IDisposable
{
    private readonly List<DeviceBuffer> _buffers = [];

    /// <summary>A tensor of its own, contiguous.</summary>
    public View New(DType type, ReadOnlySpan<int> shape, ReadOnlySpan<float> values)
    {
        View view = New(type, shape);
        Write(view, values);
        return view;
    }

    /// <summary>A tensor of its own, zeros.</summary>
    public View New(DType type, params ReadOnlySpan<int> shape)
    {
        Layout layout = Layout.Of(shape);
        DeviceBuffer buffer = backend.Allocate(layout.Count * type.Size());
        _buffers.Add(buffer);
        return new View(buffer, 0, layout, type);
    }

    /// <summary>Normal numbers.</summary>
    public View Random(DType type, int seed, params ReadOnlySpan<int> shape) => Normal(type, seed, 1, shape);

    /// <summary>As above, of a standard deviation.</summary>
    public View Normal(DType type, int seed, double deviation, params ReadOnlySpan<int> shape)
    {
        var values = new float[Layout.Of(shape).Count];
        var random = new Random(seed);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)(deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return New(type, shape, values);
    }

    public View Integers(ReadOnlySpan<int> shape, ReadOnlySpan<int> values)
    {
        View view = New(DType.Int32, shape);
        backend.Upload(values, view);
        return view;
    }

    public void Write(in View view, ReadOnlySpan<float> values)
    {
        switch (view.Type)
        {
            case DType.Float32:
                backend.Upload(values, view);
                break;
            case DType.Float16:
                backend.Upload<Half>(Array.ConvertAll(values.ToArray(), v => (Half)v), view);
                break;
            case DType.BFloat16:
                backend.Upload<ushort>(Array.ConvertAll(values.ToArray(), Bits), view);
                break;
            default:
                throw new ArgumentException($"{view.Type}");
        }
    }

    /// <summary>A contiguous view's values.</summary>
    public float[] Read(in View view)
    {
        switch (view.Type)
        {
            case DType.Float32:
                var floats = new float[view.Count];
                backend.Download<float>(view, floats);
                return floats;
            case DType.Float16:
                var halves = new Half[view.Count];
                backend.Download<Half>(view, halves);
                return Array.ConvertAll(halves, v => (float)v);
            case DType.BFloat16:
                var bits = new ushort[view.Count];
                backend.Download<ushort>(view, bits);
                return Array.ConvertAll(bits, v => BitConverter.UInt32BitsToSingle((uint)v << 16));
            default:
                var integers = new int[view.Count];
                backend.Download<int>(view, integers);
                return Array.ConvertAll(integers, v => (float)v);
        }
    }

    public void Dispose() => _buffers.ForEach(b => b.Dispose());

    private static ushort Bits(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
    }
}
