using ILGPU;
using NanoFold.Kernels.Gpu.Loops;
using NanoFold.Kernels.Gpu.Sorting;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>Rows of the slots, sorted by expert, then slot: one pass of the counting sort, an expert a digit, and a last one for slots that were dropped.</summary>
internal sealed class ExpertSort(GpuContext context)
{
    private readonly StableSort _sort = new(context);

    public void Run(in View indices, in View offsets, in View rowOfSlot, in View tokenOfRow)
    {
        int experts = checked((int)(offsets.Count - 1)), count = checked((int)indices.Count);
        var expert = new SortDigit { Keys = context.View<int>(indices), Count = count, Limit = experts, Mask = int.MaxValue, Digits = experts + 1 };
        ArrayView<int> starts = context.Scratch(_sort.CountsLength(count, experts + 1) * sizeof(int)).Cast<int>();
        _sort.Count(expert, starts);
        context.Launch(
            new ExpertPlaceWork
            {
                Expert = expert, Starts = starts, Offsets = context.View<int>(offsets), RowOfSlot = context.View<int>(rowOfSlot),
                TokenOfRow = context.View<int>(tokenOfRow), Slots = indices.Layout[1], Rows = checked((int)tokenOfRow.Count),
            },
            _sort.Blocks(count), context.GroupSize);
    }
}

/// <summary>Gives each slot its row among those sorted by expert; the first group also writes where experts begin.</summary>
internal struct ExpertPlaceWork : IGpuWork<ExpertPlaceWork>
{
    public SortDigit Expert;

    /// <summary>Scanned counts [expert, block], those that were dropped after the last expert.</summary>
    public ArrayView<int> Starts;
    public ArrayView<int> Offsets, RowOfSlot, TokenOfRow;
    public int Slots, Rows;

    public static void Run(ExpertPlaceWork w)
    {
        ArrayView<int> shared = SharedMemory.Allocate<int>(GroupReduce.Most);
        int slot = Grid.IdxX * Group.DimX + Group.IdxX, experts = w.Expert.Limit, expert = SortDigit.Of(w.Expert, slot);
        int row = PlaceWork.Place(shared, w.Starts, expert, w.Expert.Digits);
        if (row >= 0)
        {
            bool isDropped = expert == experts;
            w.RowOfSlot[slot] = isDropped || row >= w.Rows ? -1 : row;
            if (row < w.Rows)
            {
                w.TokenOfRow[row] = isDropped ? -1 : slot / w.Slots;
            }
        }

        if (Grid.IdxX == 0)
        {
            for (int e = Group.IdxX; e <= experts; e += Group.DimX)
            {
                w.Offsets[e] = w.Starts[e * Grid.DimX];
            }
        }
    }
}
