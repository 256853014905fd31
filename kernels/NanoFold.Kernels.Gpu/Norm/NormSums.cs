using ILGPU;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Norm;

/// <summary>The sums that dx of a row needs.</summary>
internal static class NormSums
{
    /// <summary>Over a run of lanes: of w ⊙ (x − mean), and of w where the norm is centred.</summary>
    public static Two Of<TSum, TKind>(ArrayView<Two> shared, float first, float second, int lanes)
        where TSum : struct, ILaneSum
        where TKind : struct, INormKind
        => TKind.IsCentered
            ? TSum.Sum(shared, new Two { First = first, Second = second }, lanes)
            : new Two { First = TSum.Sum(shared.Cast<float>(), first, lanes) };
}
