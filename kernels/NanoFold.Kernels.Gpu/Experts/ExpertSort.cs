using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Sorting;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>Rows of the slots, sorted by expert, then slot: one pass of the counting sort, an expert a digit.</summary>
internal sealed class ExpertSort(GpuContext context)
{
    private readonly StableSort _sort = new(context);

    public void Run(in View indices, in View offsets, in View rowOfSlot, in View tokenOfRow)
    {
        int experts = checked((int)(offsets.Count - 1)), count = checked((int)indices.Count);
        var expert = new SortDigit { Keys = context.View<int>(indices), Count = count, Limit = experts, Mask = int.MaxValue, Digits = experts };
        ArrayView<int> starts = context.Scratch(_sort.CountsLength(count, experts) * sizeof(int)).Cast<int>();
        _sort.Count(expert, starts);
        context.Launch(
            new ExpertPlaceWork
            {
                Expert = expert, Starts = starts, Offsets = context.View<int>(offsets), RowOfSlot = context.View<int>(rowOfSlot),
                TokenOfRow = context.View<int>(tokenOfRow), Slots = indices.Layout[1],
            },
            _sort.Blocks(count), context.GroupSize);
    }
}
