using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>
/// The units of a recurrent weight [G · N, D] cut into panels of <see cref="RowTiles.Units"/>, none across heads, and the rows of a batch cut into groups that are
/// multiplied at once; both by shape.
/// </summary>
internal readonly struct RecurrentPanels
{
    public RecurrentPanels(int batch, int width, int headWidth, int gates)
    {
        Batch = batch;
        Width = width;
        HeadWidth = headWidth;
        Gates = gates;
        PerHead = (headWidth + RowTiles.Units - 1) / RowTiles.Units;
        Groups = (batch + RowTiles.MostRows - 1) / RowTiles.MostRows;
        RowsPerGroup = (batch + Groups - 1) / Groups;
    }

    public int Batch { get; }

    /// <summary>N.</summary>
    public int Width { get; }

    /// <summary>D.</summary>
    public int HeadWidth { get; }

    public int Gates { get; }

    public int Count => Width / HeadWidth * PerHead;

    /// <summary>Elements of a panel: its units over the width of a head, for each gate.</summary>
    public long Elements => (long)Gates * HeadWidth * RowTiles.Units;

    /// <summary>Items of a place: each panel for each group of rows.</summary>
    public long Items => (long)Count * Groups;

    private int PerHead { get; }

    private int Groups { get; }

    private int RowsPerGroup { get; }

    /// <summary>The head of a panel, its first unit and their number.</summary>
    public void Panel(int panel, out int head, out int unit, out int units)
    {
        head = panel / PerHead;
        int within = (panel - head * PerHead) * RowTiles.Units;
        unit = head * HeadWidth + within;
        units = Math.Min(RowTiles.Units, HeadWidth - within);
    }

    /// <summary>An item's panel and rows: the groups of a panel follow each other, so that it is still in the cache.</summary>
    public void Item(long item, out int panel, out int row, out int rows)
    {
        panel = (int)(item / Groups);
        row = (int)(item - (long)panel * Groups) * RowsPerGroup;
        rows = Math.Min(RowsPerGroup, Batch - row);
    }
}

/// <summary>Packs panels, one an item: [gate][k][unit] of weight[gate · N + unit, k], or turned, [gate · D + k][unit] of weight[gate · N + head · D + k, unit]; rests are 0.</summary>
internal unsafe struct PackWork : ILaneWork
{
    public RecurrentPanels Panels;
    public byte* Weight;
    public byte* Packed;
    public bool IsTurned;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        Panels.Panel((int)item, out int head, out int unit, out int units);
        int depth = Panels.HeadWidth, size = V.Type.Size(), within = unit - head * depth;
        byte* panel = Packed + item * Panels.Elements * size;
        for (int gate = 0; gate < Panels.Gates; gate++)
        {
            byte* source = Weight + ((long)gate * Panels.Width + (IsTurned ? head * depth : unit)) * depth * size;
            byte* target = panel + (long)gate * depth * RowTiles.Units * size;
            new Span<byte>(target, depth * RowTiles.Units * size).Clear();
            if (IsTurned)
            {
                for (int k = 0; k < depth; k++)
                {
                    new Span<byte>(source + ((long)k * depth + within) * size, units * size).CopyTo(new Span<byte>(target + (long)k * RowTiles.Units * size, units * size));
                }

                continue;
            }

            for (int u = 0; u < units; u++)
            {
                Strides.Scatter<V>(source + (long)u * depth * size, target + u * size, 0, RowTiles.Units, depth);
            }
        }
    }
}
