using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>Cosines and sines of rotary angles, in double: [positions, D], D/2 cosines then D/2 sines of position · θᵢ.</summary>
public static class RopeTable
{
    // Of a turn's fraction, in each of two parts: what single precision holds exactly.
    private const int PartBits = 24;

    /// <summary>θᵢ = base^(−2i/D), [D/2].</summary>
    public static double[] Frequencies(int headDim, double thetaBase) => [.. Enumerable.Range(0, headDim / 2).Select(i => PortableMath.Pow(thetaBase, -2.0 * i / headDim))];

    /// <summary>With θᵢ = base^(−2i/D).</summary>
    public static double[] Compute(int positions, int headDim, double thetaBase) => Compute(positions, Frequencies(headDim, thetaBase));

    /// <param name="positions">Rows, from position 0.</param>
    /// <param name="frequencies">θ [D/2].</param>
    /// <param name="factor">On cosines and sines.</param>
    public static double[] Compute(int positions, double[] frequencies, double factor = 1)
    {
        int half = frequencies.Length, headDim = 2 * half;
        var table = new double[(long)positions * headDim];
        for (int p = 0; p < positions; p++)
        {
            for (int i = 0; i < half; i++)
            {
                (double sin, double cos) = PortableMath.SinCosForSingle(p * frequencies[i], factor);
                table[((long)p * headDim) + i] = cos;
                table[((long)p * headDim) + half + i] = sin;
            }
        }

        return table;
    }

    /// <summary>
    /// What a position turns pairs by, for <see cref="RopeRowsOp"/>: of each frequency's fraction of a turn the upper 24 bits [D/2], then the next 24 [D/2], as whole
    /// numbers. Whole positions times them are exact, however far they are.
    /// </summary>
    public static double[] Turns(double[] frequencies)
    {
        var turns = new double[2 * frequencies.Length];
        for (int i = 0; i < frequencies.Length; i++)
        {
            double turn = frequencies[i] / (2 * Math.PI), fraction = turn - Math.Floor(turn);
            long bits = (long)Math.Round(fraction * (1L << (2 * PartBits))) & ((1L << (2 * PartBits)) - 1);
            turns[i] = bits >> PartBits;
            turns[frequencies.Length + i] = bits & ((1L << PartBits) - 1);
        }

        return turns;
    }
}
