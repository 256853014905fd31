using ILGPU;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>Which columns a row of scores [.., T, S] sees, as <see cref="AttentionMask"/> says.</summary>
internal struct MaskRule
{
    public int Causal, Window, Sinks, HasDocuments;
    public ArrayView<int> Documents;
    public int Queries, RowsPerBatch;

    /// <summary>Columns from here on are hidden.</summary>
    public static int End(in MaskRule mask, int row, int length)
    {
        int end = row % mask.Queries - mask.Queries + length + 1;
        return mask.Causal == 0 ? length : end < 0 ? 0 : end > length ? length : end;
    }

    /// <summary>Whether column <paramref name="j"/> before the end is seen.</summary>
    public static bool Sees(in MaskRule mask, int row, int end, int j, int length)
    {
        if (mask.Window > 0 && j < end - mask.Window && j >= mask.Sinks)
        {
            return false;
        }

        if (mask.HasDocuments == 0)
        {
            return true;
        }

        int first = row / mask.RowsPerBatch * length;
        return mask.Documents[first + j] == mask.Documents[first + end - 1];
    }
}
