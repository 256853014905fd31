namespace NanoFold.Kernels.Cpu.Attention.TopK;

/// <summary>A key and its scaled score.</summary>
internal readonly record struct KeyScore(double Score, int Key)
{
    /// <summary>Ranks lower: a smaller score, or among equals the larger key.</summary>
    public static bool IsWorse(in KeyScore a, in KeyScore b) => a.Score < b.Score || (a.Score == b.Score && a.Key > b.Key);
}
