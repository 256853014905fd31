using System.Buffers;

namespace NanoFold.Kernels;

/// <summary>Real values of any type between a device and the host, where they are floats or doubles.</summary>
public static class HostValues
{
    /// <summary>Downloads a contiguous view.</summary>
    public static void Read(this Backend backend, in View source, Span<float> target)
    {
        switch (source.Type)
        {
            case DType.Float32:
                backend.Download(source, target);
                break;
            case DType.Float64:
                var doubles = new double[target.Length];
                backend.Download<double>(source, doubles);
                Convert(doubles, target, v => (float)v);
                break;
            case DType.BFloat16:
                var bits = new ushort[target.Length];
                backend.Download<ushort>(source, bits);
                Convert(bits, target, BFloat16.ToSingle);
                break;
            case DType.Float16:
                var halves = new Half[target.Length];
                backend.Download<Half>(source, halves);
                Convert(halves, target, v => (float)v);
                break;
            case DType.Q8_0 or DType.Q4_0 or DType.Q4_1:
                var blocks = new byte[source.Type.Bytes(target.Length)];
                backend.Download<byte>(source, blocks);
                StoredValues.Widen(source.Type, blocks, target);
                break;
            default:
                throw new ArgumentException($"read: {source}, expected a real type");
        }
    }

    /// <summary>Uploads into a contiguous view, rounding to its type.</summary>
    public static void Write(this Backend backend, ReadOnlySpan<float> source, in View target)
    {
        switch (target.Type)
        {
            case DType.Float32:
                backend.Upload(source, target);
                break;
            case DType.Float64:
                var doubles = new double[source.Length];
                Convert(source, doubles, v => (double)v);
                backend.Upload<double>(doubles, target);
                break;
            case DType.BFloat16:
                var bits = new ushort[source.Length];
                Convert(source, bits, BFloat16.FromSingle);
                backend.Upload<ushort>(bits, target);
                break;
            case DType.Float16:
                var halves = new Half[source.Length];
                Convert(source, halves, v => (Half)v);
                backend.Upload<Half>(halves, target);
                break;
            default:
                throw new ArgumentException($"write: {target}, expected a real type");
        }
    }

    /// <summary>Downloads a contiguous view.</summary>
    public static void Read(this Backend backend, in View source, Span<double> target)
    {
        if (source.Type == DType.Float64)
        {
            backend.Download(source, target);
            return;
        }

        float[] floats = ArrayPool<float>.Shared.Rent(target.Length);
        backend.Read(source, floats.AsSpan(0, target.Length));
        for (int i = 0; i < target.Length; i++)
        {
            target[i] = floats[i];
        }

        ArrayPool<float>.Shared.Return(floats);
    }

    /// <summary>Uploads into a contiguous view, rounding to its type.</summary>
    public static void Write(this Backend backend, ReadOnlySpan<double> source, in View target)
    {
        if (target.Type == DType.Float64)
        {
            backend.Upload(source, target);
            return;
        }

        float[] floats = ArrayPool<float>.Shared.Rent(source.Length);
        for (int i = 0; i < source.Length; i++)
        {
            floats[i] = (float)source[i];
        }

        backend.Write(floats.AsSpan(0, source.Length), target);
        ArrayPool<float>.Shared.Return(floats);
    }

    private static void Convert<TFrom, TTo>(ReadOnlySpan<TFrom> source, Span<TTo> target, Func<TFrom, TTo> convert)
    {
        for (int i = 0; i < source.Length; i++)
        {
            target[i] = convert(source[i]);
        }
    }
}
