using System.Numerics;
using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>How a sum that was formed beside y gets into it, element by element.</summary>
internal static unsafe class Merging
{
    /// <summary>y = value (+ y) (+ bias) (+ residual); y alone where this is not the first part of the sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<T>(in Product product, T* y, T value, int row, int column, bool first = true)
        where T : unmanaged, INumberBase<T>
    {
        if (!first)
        {
            *y += value;
            return;
        }

        T start = product.Accumulate ? *y : T.Zero;
        if (!product.Bias.IsNone)
        {
            start += *(T*)product.Bias.At(row, column);
        }

        if (!product.Residual.IsNone)
        {
            start += *(T*)product.Residual.At(row, column);
        }

        *y = start + value;
    }
}
