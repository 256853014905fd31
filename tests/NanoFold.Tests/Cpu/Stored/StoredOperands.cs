using NanoFold.Kernels;
using NanoFold.Kernels.Memory;

namespace NanoFold.Tests.Cpu.Stored;

/// <summary>Random floats.</summary>
internal sealed class Some : IDisposable
{
    public Some(Backend backend, Random random, int count)
    {
        Buffer = backend.Allocate(count * sizeof(float));
        backend.Upload<float>([.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)], As(count));
    }

    public DeviceBuffer Buffer { get; }

    public View As(params int[] shape) => new(Buffer, 0, Layout.Of(shape), DType.Float32);

    public void Dispose() => Buffer.Dispose();
}

/// <summary>Random bytes of a type, and the values by their definition.</summary>
internal sealed class Weights : IDisposable
{
    private readonly DeviceBuffer _stored, _wide;
    private readonly Layout _layout;
    private readonly DType _type;

    public Weights(Backend backend, DType type, int rows, int columns, int seed)
    {
        (_type, _layout) = (type, Layout.Of(rows, columns));
        byte[] bytes = new byte[type.Bytes(rows * columns)];
        var random = new Random(seed);
        random.NextBytes(bytes);
        int unit = type.IsBlocks() ? type.BlockBytes() : 2;
        for (int at = 0; at < bytes.Length; at += unit)
        {
            for (int i = 0; i < (type == DType.Q4_1 ? 2 : 1); i++)
            {
                float scale = (random.NextSingle() - 0.5f) * (random.Next(40) == 0 ? 1e-6f : 1);
                BitConverter.TryWriteBytes(bytes.AsSpan(at + (2 * i)), type == DType.BFloat16 ? BFloat16.FromSingle(scale) : BitConverter.HalfToUInt16Bits((Half)scale));
            }
        }

        float[] values = new float[rows * columns];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Value(type, bytes, i);
        }

        (_stored, _wide) = (backend.Allocate(bytes.Length), backend.Allocate(values.Length * sizeof(float)));
        bytes.CopyTo(((NativeBuffer)_stored).Span<byte>(0, bytes.Length));
        backend.Upload<float>(values, Wide);
    }

    /// <summary>Their bytes.</summary>
    public ReadOnlySpan<byte> Bytes => ((NativeBuffer)_stored).Span<byte>();

    public View Stored => new(_stored, 0, _layout, _type);

    public View Wide => new(_wide, 0, _layout, DType.Float32);

    public void Dispose()
    {
        _stored.Dispose();
        _wide.Dispose();
    }

    private static float Value(DType type, byte[] bytes, int i)
    {
        if (!type.IsBlocks())
        {
            ushort bits = BitConverter.ToUInt16(bytes, 2 * i);
            return type == DType.BFloat16 ? BFloat16.ToSingle(bits) : (float)BitConverter.UInt16BitsToHalf(bits);
        }

        ReadOnlySpan<byte> block = bytes.AsSpan(i / 32 * type.BlockBytes(), type.BlockBytes());
        float d = (float)BitConverter.ToHalf(block);
        int within = i % 32;
        int Code(ReadOnlySpan<byte> codes) => within < 16 ? codes[within] & 15 : codes[within - 16] >> 4;
        return type switch
        {
            DType.Q8_0 => (sbyte)block[2 + within] * d,
            DType.Q4_0 => (Code(block[2..]) - 8) * d,
            _ => (Code(block[4..]) * d) + (float)BitConverter.ToHalf(block[2..]),
        };
    }
}
