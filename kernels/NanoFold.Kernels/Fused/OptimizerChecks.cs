namespace NanoFold.Kernels.Fused;

/// <summary>What the optimisers' passes ask of their operands on every backend.</summary>
internal static class OptimizerChecks
{
    /// <summary>Contiguous and real.</summary>
    public static void Vector(string op, string name, in View x)
    {
        Checks.Real(op, name, x);
        RowCheck.Vector(op, name, x, x.Type, x.Count);
    }

    /// <summary>Both contiguous, of one real type and as many elements.</summary>
    public static void Pass(string op, string nameX, in View x, string nameY, in View y)
    {
        Vector(op, nameX, x);
        RowCheck.Vector(op, nameY, y, x.Type, x.Count);
    }

    public static void Clip(double clip)
    {
        if (!(clip >= 0))
        {
            throw new ArgumentOutOfRangeException(nameof(clip), $"decide: clip is {clip}, expected 0 (none) or a positive norm");
        }
    }
}
