using NanoFold.Kernels.Cpu.Attention.Full;

namespace NanoFold.Kernels.Cpu.Attention.TopK;

/// <summary>Indices of the keys kept per row, [B, H, T, k], −1 behind the last.</summary>
internal readonly unsafe struct KeptKeys
{
    private readonly int* _indices;

    public KeptKeys(in View kept)
    {
        Count = kept.Layout[3];
        _indices = kept.Ints;
    }

    /// <summary>k.</summary>
    public int Count { get; }

    public int* Row(in AttentionProblem problem, int batch, int head, int time) =>
        _indices + (((long)batch * problem.Heads + head) * problem.Time + time) * Count;
}
