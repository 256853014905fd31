using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>
/// Rows times factors that grow into products from row to row. Rows are whole lanes wide and lie one after the other; results may lie where the operand does, or are
/// added to what is there.
/// </summary>
internal static unsafe class DecayRows
{
    /// <summary>y_r = sign · f_r · x_r, one factor for each row; without factors sign · x.</summary>
    public static void Scale<V>(void* factors, void* x, void* y, int rows, int width, V sign)
        where V : struct, ICpuLane<V>
    {
        for (nint r = 0; r < rows; r++)
        {
            V factor = factors is null ? sign : sign * V.Splat(factors, r);
            for (nint i = r * width; i < (r + 1) * width; i += V.Width)
            {
                V.Store(y, i, V.Load(x, i) * factor);
            }
        }
    }

    /// <summary>y_r = sign · x_r ⊙ f_0 ⊙ … ⊙ f_r.</summary>
    public static void FromStart<V>(void* factors, void* x, void* y, int rows, int width, V sign, bool add = false)
        where V : struct, ICpuLane<V>
    {
        nint i = 0;
        for (; i + (2 * V.Width) <= width; i += 2 * V.Width)
        {
            V low = sign, high = sign;
            for (nint r = 0, at = i; r < rows; r++, at += width)
            {
                low *= V.Load(factors, at);
                high *= V.Load(factors, at + V.Width);
                Store(x, y, at, low, add);
                Store(x, y, at + V.Width, high, add);
            }
        }

        for (; i < width; i += V.Width)
        {
            V product = sign;
            for (nint r = 0, at = i; r < rows; r++, at += width)
            {
                product *= V.Load(factors, at);
                Store(x, y, at, product, add);
            }
        }
    }

    /// <summary>y_r = x_r ⊙ f_{r+1} ⊙ … ⊙ f_{rows−1}.</summary>
    public static void ToEnd<V>(void* factors, void* x, void* y, int rows, int width, bool add = false)
        where V : struct, ICpuLane<V>
    {
        nint i = 0;
        for (; i + (2 * V.Width) <= width; i += 2 * V.Width)
        {
            V low = V.Constant(1), high = low;
            for (nint at = ((nint)(rows - 1) * width) + i; at >= 0; at -= width)
            {
                Store(x, y, at, low, add);
                Store(x, y, at + V.Width, high, add);
                low *= V.Load(factors, at);
                high *= V.Load(factors, at + V.Width);
            }
        }

        for (; i < width; i += V.Width)
        {
            V product = V.Constant(1);
            for (nint at = ((nint)(rows - 1) * width) + i; at >= 0; at -= width)
            {
                Store(x, y, at, product, add);
                product *= V.Load(factors, at);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<V>(void* x, void* y, nint at, V factor, bool add)
        where V : struct, ICpuLane<V>
        => V.Store(y, at, add ? V.MultiplyAdd(V.Load(x, at), factor, V.Load(y, at)) : V.Load(x, at) * factor);
}
