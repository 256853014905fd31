using NanoFold.Kernels.Lanes;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NanoFold.Kernels.Cpu.Attention.Blocks;

/// <summary>
/// 2ˣ where x is a score in bits (its natural value times log₂ e, which costs nothing as a part of the scale) minus its row's maximum
/// or log-sum-exp, hence not above 0 but for rounding. On wide lanes three quarters of the instructions of <see cref="SoftmaxExp"/>, with a
/// relative error below 2⁻²²; the general exponential of other lanes adds the rounding of its argument, |x|·2⁻²⁴. Exactly 1 at 0;
/// 0 below −126.5; not a number stays that.
/// </summary>
/// <remarks>
/// n = round(x) falls out of the low bits of x + 1.5·2²³, with 127 added as those of an exponent, and x − n is exact; 2ʳ for |r| ≤ ½ is 1 + r·(degree 4), the largest relative
/// error minimized; 2ⁿ by these bits.
/// </remarks>
internal static class SoftmaxPower
{
    /// <summary>log₂ e: bits of a natural exponent.</summary>
    public const double BitsPerNat = 1.4426950408889634;

    /// <summary>ln 2.</summary>
    public const double NatsPerBit = 0.6931471805599453;

    /// <summary>Its power has the exponent 0, which is that of 0.</summary>
    private const float Low = -127;

    /// <summary>1.5·2²³ and what exponents are stored with.</summary>
    private const float Magic = 12582912 + 127;
    private const float C1 = 0.693147004f, C2 = 0.240222424f, C3 = 0.0555073358f, C4 = 0.00967151299f, C5 = 0.00132647273f;

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

        return V.Exp(x * V.Constant(NatsPerBit));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Of(Vector256<float> x)
    {
        // Not a number is the second operand, which stays.
        x = Vector256.MaxNative(Vector256.Create(Low), x);
        Vector256<float> shifted = x + Vector256.Create(Magic);
        Vector256<float> r = x - (shifted - Vector256.Create(Magic));
        Vector256<float> p = Vector256.MultiplyAddEstimate(Vector256.Create(C5), r, Vector256.Create(C4));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(C3));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(C2));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(C1));
        p = Vector256.MultiplyAddEstimate(p, r, Vector256.Create(1f));
        return p * Vector256.ShiftLeft(shifted.AsInt32(), 23).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Of(Vector512<float> x)
    {
        // Not a number is the second operand, which stays.
        x = Vector512.MaxNative(Vector512.Create(Low), x);
        Vector512<float> shifted = x + Vector512.Create(Magic);
        Vector512<float> r = x - (shifted - Vector512.Create(Magic));
        Vector512<float> p = Vector512.MultiplyAddEstimate(Vector512.Create(C5), r, Vector512.Create(C4));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(C3));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(C2));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(C1));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(1f));
        return p * Vector512.ShiftLeft(shifted.AsInt32(), 23).AsSingle();
    }
}
