using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>Rows [N·k, C] of the slots [N, k] of tokens, and their weights.</summary>
internal struct ExpertRows<T>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Rows, Weights;
    public ArrayView<int> RowOfSlot;

    /// <summary>Elements from one row to the next.</summary>
    public long Row;
    public int Tokens, Slots, Width, HasWeights;

    public static float Weight(in ExpertRows<T> rows, int slot) => rows.HasWeights != 0 ? T.Read(rows.Weights[slot]) : 1;
}
