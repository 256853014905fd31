using NanoFold.Kernels;
using NanoFold.Kernels.Memory;

namespace NanoFold.Tests.Suites.Halves;

/// <summary>
/// The operands of one call in single precision: those of 16 bits are copied, without gaps, and what was written is rounded back at the end.
/// Others are passed on as they are.
/// </summary>
internal sealed class HalfOperands : IDisposable
{
    private readonly List<NativeBuffer> _copies = [];
    private readonly List<(View Copy, View Original)> _written = [];

    /// <summary>An operand that is read, or none.</summary>
    public View In(in View x)
    {
        if (x.IsNone || !x.Type.Is16Bit())
        {
            return x;
        }

        var buffer = new NativeBuffer(x.Count * sizeof(float));
        _copies.Add(buffer);
        var copy = new View(buffer, 0, x.Layout.Contiguous(), DType.Float32);
        ForEach(copy, x, static (ref float copied, ref ushort original, DType type) => copied = Widen(original, type));
        return copy;
    }

    /// <summary>An operand that is written, wholly or in part, or none.</summary>
    public View Out(in View y)
    {
        View copy = In(y);
        if (!y.IsNone && y.Type.Is16Bit())
        {
            _written.Add((copy, y));
        }

        return copy;
    }

    /// <summary>Rounds what was written.</summary>
    public void Dispose()
    {
        foreach ((View copy, View original) in _written)
        {
            ForEach(copy, original, static (ref float copied, ref ushort bits, DType type) => bits = Narrow(copied, type));
        }

        _copies.ForEach(buffer => buffer.Dispose());
    }

    public static float Widen(ushort bits, DType type) => type == DType.BFloat16 ? BFloat16.ToSingle(bits) : (float)BitConverter.UInt16BitsToHalf(bits);

    public static ushort Narrow(float value, DType type) => type == DType.BFloat16 ? BFloat16.FromSingle(value) : BitConverter.HalfToUInt16Bits((Half)value);

    private static unsafe void ForEach(in View copy, in View original, Visit visit)
    {
        float* copied = copy.Floats;
        var bits = (ushort*)original.Address;
        Span<int> index = stackalloc int[Layout.MaxRank];
        Layout layout = original.Layout;
        int rank = layout.Rank;
        long offset = 0, count = original.Count;
        for (long i = 0; i < count; i++)
        {
            visit(ref copied[i], ref bits[offset], original.Type);
            for (int axis = rank - 1; axis >= 0; axis--)
            {
                offset += layout.Stride(axis);
                if (++index[axis] < layout[axis])
                {
                    break;
                }

                offset -= layout[axis] * layout.Stride(axis);
                index[axis] = 0;
            }
        }
    }

    private delegate void Visit(ref float copied, ref ushort original, DType type);
}
