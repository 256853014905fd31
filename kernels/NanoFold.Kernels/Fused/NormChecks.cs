namespace NanoFold.Kernels.Fused;

/// <summary>What the norms of every backend ask of their operands.</summary>
internal static class NormChecks
{
    public static void Forward(string op, in View x, in View gain, in View bias, in View y, in View statistics, bool isCentered)
    {
        RowCheck.Rows(op, "x", x);
        RowCheck.Output(op, "y", y, x);
        RowCheck.OptionalVector(op, "gain", gain, x.Type, x.Layout[-1]);
        RowCheck.OptionalVector(op, "bias", bias, x.Type, x.Layout[-1]);
        Statistics(op, statistics, x, isCentered);
    }

    /// <param name="scratchBytes">Of scratch, where there are sums.</param>
    public static void Backward(
        string op, in View x, in View gain, in View statistics, in View dy, in View dx, in View dGain, in View dBias, in View scratch, long scratchBytes, bool isCentered)
    {
        RowCheck.Like(op, "dy", dy, x);
        if (!dx.IsNone)
        {
            RowCheck.Output(op, "dx", dx, x);
        }

        RowCheck.OptionalVector(op, "gain", gain, x.Type, x.Layout[-1]);
        RowCheck.OptionalVector(op, "dGain", dGain, x.Type.Sum(), x.Layout[-1]);
        RowCheck.OptionalVector(op, "dBias", dBias, x.Type.Sum(), x.Layout[-1]);
        Statistics(op, statistics, x, isCentered);
        if (!dGain.IsNone || !dBias.IsNone)
        {
            RowCheck.Scratch(op, scratch, scratchBytes);
        }
    }

    private static void Statistics(string op, in View statistics, in View x, bool isCentered)
        => RowCheck.Vector(op, "statistics", statistics, x.Type.Sum(), (isCentered ? 2 : 1) * x.Layout.Rows);
}
