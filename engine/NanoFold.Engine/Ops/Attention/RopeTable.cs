namespace NanoFold.Engine.Ops;

/// <summary>Cosines and sines of rotary angles, in double: [positions, D], D/2 cosines then D/2 sines, θᵢ = base^(−2i/D).</summary>
public static class RopeTable
{
    public static double[] Compute(int positions, int headDim, double thetaBase)
    {
        var table = new double[(long)positions * headDim];
        int half = headDim / 2;
        for (int p = 0; p < positions; p++)
        {
            for (int i = 0; i < half; i++)
            {
                (double sin, double cos) = Math.SinCos(p * Math.Pow(thetaBase, -2.0 * i / headDim));
                table[p * headDim + i] = cos;
                table[p * headDim + half + i] = sin;
            }
        }

        return table;
    }
}
