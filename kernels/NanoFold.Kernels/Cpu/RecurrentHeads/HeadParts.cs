using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>
/// How the backward pass is cut: an item is a batch row, a head of q and k and a part of the heads of v that meet it. With more than one part each has sums of dq and dk
/// of its own in the caller's scratch, which are added in order.
/// </summary>
internal readonly struct HeadParts
{
    /// <summary>Enough items to feed the threads of common machines; more would only cost scratch.</summary>
    private const int WantedItems = 16;

    public HeadParts(in RecurrentHeadsShape shape)
    {
        int heads = shape.Heads / shape.Groups;
        long pairs = (long)shape.Batch * shape.Groups;
        int parts = (int)Math.Clamp((WantedItems + pairs - 1) / pairs, 1, heads);
        Heads = (heads + parts - 1) / parts;
        Count = (heads + Heads - 1) / Heads;
        PartElements = Count == 1 ? 0 : pairs * shape.Time * shape.KeyWidth;
    }

    /// <summary>Parts.</summary>
    public int Count { get; }

    /// <summary>Heads of a part; the last may have fewer.</summary>
    public int Heads { get; }

    /// <summary>Elements of a part's dq, and of its dk, [B, T, G, DK].</summary>
    public long PartElements { get; }

    public long ScratchBytes(DType type) => 2 * Count * PartElements * type.Size();
}

/// <summary>Adds the parts of dq and dk; an item is some places of a batch row.</summary>
internal struct HeadPartsWork : ILaneWork
{
    private const int Places = 64;

    public HeadsProblem Problem;
    public HeadGradients Gradients;

    private readonly int Blocks => (Problem.Time + Places - 1) / Places;

    public readonly long Items => (long)Problem.Batch * Blocks;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int batch = (int)(item / Blocks), first = (int)(item % Blocks) * Places;
        for (int time = first; time < Math.Min(first + Places, Problem.Time); time++)
        {
            for (int group = 0; group < Problem.Groups; group++)
            {
                Gradients.AddParts<V>(Problem, batch, time, group);
            }
        }
    }
}
