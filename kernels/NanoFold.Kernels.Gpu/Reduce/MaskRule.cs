using ILGPU;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>Which columns a row of scores [.., T, S] sees, as <see cref="Visible"/> says.</summary>
internal struct MaskRule
{
    public VisibleRule Rule;
    public int HasDocuments, Queries, Keys, RowsPerBatch;

    /// <summary>[B, S].</summary>
    public ArrayView<int> Documents;

    public static MaskRule Of(GpuContext context, in Visible visible, in Layout layout)
    {
        if (!visible.Prefixes.IsNone || !visible.Blocks.IsNone)
        {
            Checks.Throw("softmax", "prefixes and block tables are of the CPU");
        }

        return new()
        {
            Rule = visible.Rule(layout[-1]),
            HasDocuments = visible.Documents.IsNone ? 0 : 1,
            Queries = layout.Rank > 1 ? layout[-2] : 1,
            Keys = layout[-1],
            RowsPerBatch = checked((int)(layout.Rank > 2 ? layout.Rows / layout[0] : layout.Rows)),
            Documents = context.View<int>(visible.Documents),
        };
    }

    /// <summary>Columns from here on are hidden.</summary>
    public static int End(in MaskRule mask, int row)
    {
        int t = Position(mask, row), end = mask.Rule.End(t), sinks = mask.Rule.SinkEnd(t);
        end = end < sinks ? sinks : end;
        return end < 0 ? 0 : end > mask.Keys ? mask.Keys : end;
    }

    /// <summary>Whether column <paramref name="j"/> before the end is seen.</summary>
    public static bool Sees(in MaskRule mask, int row, int j)
    {
        int t = Position(mask, row);
        if (!mask.Rule.Sees(t, j))
        {
            return false;
        }

        if (mask.HasDocuments == 0)
        {
            return true;
        }

        int first = row / mask.RowsPerBatch * mask.Keys;
        return mask.Documents[first + j] == mask.Documents[first + t];
    }

    private static int Position(in MaskRule mask, int row) => row % mask.Queries - mask.Queries + mask.Keys;
}
