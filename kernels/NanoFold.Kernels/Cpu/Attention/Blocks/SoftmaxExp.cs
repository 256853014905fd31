using NanoFold.Kernels.Lanes;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NanoFold.Kernels.Cpu.Attention.Blocks;

/// <summary>
/// eˣ where x is a score minus its row's maximum or log-sum-exp, hence not above 0 but for rounding: a third of the instructions of the
/// general one on wide lanes. Relative error below 2⁻²²; 0 below −87; not a number stays that.
/// </summary>
/// <remarks>
/// n = round(x / ln 2) falls out of the low bits of x / ln 2 + 1.5·2²³; eʳ for |r| ≤ ½ ln 2 is 1 + r + r²·(degree 4, interpolated at
/// Chebyshev nodes); 2ⁿ by its exponent bits.
/// </remarks>
internal static class SoftmaxExp
{
    private const float Low = -87;
    private const float Magic = 12582912;
    private const float PerLn2 = 1.44269504f;
    private const float Ln2High = -0.693359375f;
    private const float Ln2Low = 2.12194440e-4f;
    private const float C2 = 0.5f, C3 = 0.16666577f, C4 = 0.04166655f, C5 = 0.008363185f, C6 = 0.0013926191f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of<V>(V x)
        where V : struct, ICpuLane<V>
    {
        if (typeof(V) == typeof(Lane8) && Vector256.IsHardwareAccelerated)
        {
            return (V)(object)new Lane8(Of(((Lane8)(object)x).Value));
        }

        if (typeof(V) == typeof(Lane16) && Vector512.IsHardwareAccelerated)
        {
            return (V)(object)new Lane16(Of(((Lane16)(object)x).Value));
        }

        return V.Exp(x);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Of(Vector256<float> x)
    {
        Vector256<float> shifted = Vector256.MultiplyAddEstimate(x, Vector256.Create(PerLn2), Vector256.Create(Magic));
        Vector256<float> n = shifted - Vector256.Create(Magic);
        Vector256<float> r = Vector256.MultiplyAddEstimate(n, Vector256.Create(Ln2High), x);
        r = Vector256.MultiplyAddEstimate(n, Vector256.Create(Ln2Low), r);
        Vector256<float> p = Vector256.MultiplyAddEstimate(Vector256.Create(C6), r, Vector256.Create(C5));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(C4));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(C3));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(C2));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(1f));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(1f));
        Vector256<int> power = Vector256.ShiftLeft(shifted.AsInt32(), 23) + Vector256.Create(127 << 23);
        return Vector256.AndNot(p * power.AsSingle(), Vector256.LessThan(x, Vector256.Create(Low)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Of(Vector512<float> x)
    {
        Vector512<float> shifted = Vector512.MultiplyAddEstimate(x, Vector512.Create(PerLn2), Vector512.Create(Magic));
        Vector512<float> n = shifted - Vector512.Create(Magic);
        Vector512<float> r = Vector512.MultiplyAddEstimate(n, Vector512.Create(Ln2High), x);
        r = Vector512.MultiplyAddEstimate(n, Vector512.Create(Ln2Low), r);
        Vector512<float> p = Vector512.MultiplyAddEstimate(Vector512.Create(C6), r, Vector512.Create(C5));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(C4));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(C3));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(C2));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(1f));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(1f));
        Vector512<int> power = Vector512.ShiftLeft(shifted.AsInt32(), 23) + Vector512.Create(127 << 23);
        return Vector512.AndNot(p * power.AsSingle(), Vector512.LessThan(x, Vector512.Create(Low)));
    }
}
