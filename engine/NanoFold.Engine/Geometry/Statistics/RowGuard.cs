using System.Numerics.Tensors;
using System.Runtime.CompilerServices;

namespace NanoFold.Engine.Geometry.Statistics;

/// <summary>Checks shared by everything that reads rows <c>[N, D]</c>.</summary>
internal static class RowGuard
{
    /// <summary>Throws unless <paramref name="rows"/> holds exactly N·D values.</summary>
    public static void Shape(
        ReadOnlySpan<float> rows, int n, int d, [CallerArgumentExpression(nameof(rows))] string name = "")
    {
        if (n < 0 || d < 1)
        {
            throw new ArgumentException($"{name}: N must be 0 or more and D at least 1, but N = {n}, D = {d}.");
        }

        if (rows.Length != (long)n * d)
        {
            throw new ArgumentException($"{name}: expected {n} × {d} = {(long)n * d} values, got {rows.Length}.");
        }
    }

    /// <summary>True when no value is NaN or infinite.</summary>
    public static bool AllFinite(ReadOnlySpan<float> values) => values.IsEmpty || TensorPrimitives.IsFiniteAll(values);
}

/// <summary>Some rows of many.</summary>
internal static class RowGather
{
    /// <summary>Copies rows of their numbers, in their order.</summary>
    /// <param name="values"><c>[N, D]</c>.</param>
    /// <param name="d">D.</param>
    /// <param name="rows">Their numbers, [n].</param>
    /// <returns><c>[n, D]</c>.</returns>
    public static float[] Of(ReadOnlySpan<float> values, int d, ReadOnlySpan<int> rows)
    {
        var gathered = new float[rows.Length * d];
        for (int i = 0; i < rows.Length; i++)
        {
            values.Slice(rows[i] * d, d).CopyTo(gathered.AsSpan(i * d));
        }

        return gathered;
    }
}
