using NanoFold.Kernels;

namespace NanoFold.Gpu.Tests.Attention;

/// <summary>Compares with what the CPU computes in single precision.</summary>
internal static class Near
{
    /// <summary>Of the largest magnitude; y and the weights are rounded to the type, and gradients follow from both.</summary>
    public static double Tolerance(DType type) => type switch
    {
        DType.BFloat16 => 1e-2,
        DType.Float16 => 2e-3,
        _ => 1e-5,
    };

    public static void Assert(string name, float[] actual, float[] expected, double tolerance)
    {
        NUnit.Framework.Assert.That(actual, Has.Length.EqualTo(expected.Length), name);
        double largest = Math.Max(0.1, expected.Where(float.IsFinite).Select(x => Math.Abs((double)x)).DefaultIfEmpty(0).Max());
        for (int i = 0; i < expected.Length; i++)
        {
            if (actual[i] != expected[i] && !(Math.Abs(actual[i] - expected[i]) <= tolerance * largest))
            {
                NUnit.Framework.Assert.Fail($"{name}[{i}]: expected {expected[i]}, got {actual[i]}");
            }
        }
    }
}
