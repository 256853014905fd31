using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>Sums of the elements of four lanes at once: a third of the instructions of one after the other.</summary>
internal static unsafe class LaneSums
{
    /// <summary>target[i] = the sum of lane i, or added to it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Four<V>(V a, V b, V c, V d, void* target, nint index, bool add)
        where V : struct, ICpuLane<V>
    {
        if (typeof(V) == typeof(Lane16) && Avx.IsSupported)
        {
            Four(Half(((Lane16)(object)a).Value), Half(((Lane16)(object)b).Value), Half(((Lane16)(object)c).Value), Half(((Lane16)(object)d).Value), (float*)target + index, add);
        }
        else if (typeof(V) == typeof(Lane8) && Avx.IsSupported)
        {
            Four(((Lane8)(object)a).Value, ((Lane8)(object)b).Value, ((Lane8)(object)c).Value, ((Lane8)(object)d).Value, (float*)target + index, add);
        }
        else
        {
            One(a, target, index, add);
            One(b, target, index + 1, add);
            One(c, target, index + 2, add);
            One(d, target, index + 3, add);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void One<V>(V value, void* target, nint index, bool add)
        where V : struct, ICpuLane<V>
    {
        double sum = V.Sum(value);
        Element.Set<V>(target, index, add ? Element.Get<V>(target, index) + sum : sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Half(Vector512<float> x) => x.GetLower() + x.GetUpper();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Four(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d, float* target, bool add)
    {
        // Both halves then hold sums of a, b, c and d in this order.
        Vector256<float> sums = Avx.HorizontalAdd(Avx.HorizontalAdd(a, b), Avx.HorizontalAdd(c, d));
        Vector128<float> four = sums.GetLower() + sums.GetUpper();
        (add ? Vector128.Load(target) + four : four).Store(target);
    }
}
