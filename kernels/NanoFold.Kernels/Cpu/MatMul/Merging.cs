using System.Numerics;
using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>How a sum that was formed beside y gets into it, element by element.</summary>
internal static unsafe class Merging
{
    /// <summary>y = value (+ y), and with the last part of the sum (+ bias) (+ residual); y is added to unless this is the first part.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<T>(in Product product, T* y, T value, int row, int column, bool first = true, bool last = true)
        where T : unmanaged, INumberBase<T>
    {
        T sum = first && !product.Accumulate ? value : *y + value;
        if (last && !product.Bias.IsNone)
        {
            sum += *(T*)product.Bias.At(row, column);
        }

        if (last && !product.Residual.IsNone)
        {
            sum += *(T*)product.Residual.At(row, column);
        }

        *y = sum;
    }
}
