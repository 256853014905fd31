using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace NanoFold.Engine.Geometry.Neighbors;

/// <summary>Distances of two points.</summary>
internal static class EuclideanDistance
{
    /// <summary>Σ(a − b)² in double precision; exactly symmetric in its arguments.</summary>
    public static double Squared(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        ReadOnlySpan<Vector256<float>> va = MemoryMarshal.Cast<float, Vector256<float>>(a);
        ReadOnlySpan<Vector256<float>> vb = MemoryMarshal.Cast<float, Vector256<float>>(b)[..va.Length];
        Vector256<double> low = default;
        Vector256<double> high = default;
        for (int i = 0; i < va.Length; i++)
        {
            (Vector256<double> a0, Vector256<double> a1) = Vector256.Widen(va[i]);
            (Vector256<double> b0, Vector256<double> b1) = Vector256.Widen(vb[i]);
            a0 -= b0;
            a1 -= b1;
            low = Vector256.MultiplyAddEstimate(a0, a0, low);
            high = Vector256.MultiplyAddEstimate(a1, a1, high);
        }

        double sum = Vector256.Sum(low + high);
        for (int i = va.Length * Vector256<float>.Count; i < a.Length; i++)
        {
            double difference = (double)a[i] - b[i];
            sum += difference * difference;
        }

        return sum;
    }
}
