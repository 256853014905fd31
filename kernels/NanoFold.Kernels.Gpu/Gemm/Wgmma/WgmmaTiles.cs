using NanoFold.Kernels.Gpu.Gemm.Slices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Wgmma;

/// <summary>A tile of y, or a part of its depth, that a block works on.</summary>
/// <param name="Row">Its first one.</param>
/// <param name="Column">The same.</param>
internal readonly record struct WgmmaPart(Reg Row, Reg Column)
{
    /// <summary>Of the depth, and what comes after the part; null for all of it.</summary>
    public (Reg Begin, Reg End)? Depth { get; init; }

    /// <summary>Which of the tile's parts it is, where there may be several.</summary>
    public SliceParts? Parts { get; init; }
}

/// <summary>What a block works on, one after another: the same for all of its roles.</summary>
internal static class WgmmaTiles
{
    /// <summary>
    /// Tiles, or slices of them: the block's number, then as many further as there are blocks. A cluster has as many beneath one another as blocks, and its number is that of the first block
    /// over these. Where steps of the depth are dealt out (<see cref="GemmTile.IsStream"/>): the block's share of them.
    /// </summary>
    public static void ForEach(PtxWriter w, WgmmaLayout layout, Action<WgmmaPart> write)
    {
        GemmTile tile = layout.Tile;
        Reg index = w.New(RegKind.B32), blocks = w.New(RegKind.B32);
        w.Set(index, PerCluster(w, tile, w.BlockX()));
        w.Emit($"mov.u32 {blocks}, %nctaid.x");
        blocks = PerCluster(w, tile, blocks);
        Reg all = w.Mul(GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.TilesM)), GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.TilesN)));
        if (tile.IsStream)
        {
            ForEachStep(w, layout, new StreamDepth(w, all, Steps(w), index, blocks), write);
            return;
        }

        bool isSliced = layout.Spec.Mode == GemmMode.SumSlices;
        Reg slices = isSliced ? GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.Groups)) : default, count = isSliced ? w.Mul(all, slices) : all;
        string next = w.NewLabel();
        w.Mark(next);
        write(isSliced ? Slice(w, layout, index, slices) : Place(w, layout, index));
        w.Set(index, w.Add(index, blocks));
        using (w.When(w.Compare("lt", index, count)))
        {
            w.Branch(next);
        }
    }

    private static WgmmaPart Slice(PtxWriter w, WgmmaLayout layout, Reg index, Reg slices)
    {
        Reg tile = w.Div(index, slices), slice = w.Sub(index, w.Mul(tile, slices)), depth = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.SliceDepth));
        Reg begin = w.Mul(slice, depth), end = w.Min(w.Add(begin, depth), GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.K)));
        return Place(w, layout, tile) with { Depth = (begin, end), Parts = SliceParts.OfSlices(w, tile, slice, slices) };
    }

    private static void ForEachStep(PtxWriter w, WgmmaLayout layout, StreamDepth stream, Action<WgmmaPart> write)
        => stream.ForEach((parts, first, last) =>
        {
            Reg end = w.Min(w.Mul(last, WgmmaLayout.Depth), GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.K)));
            write(Place(w, layout, parts.Tile) with { Depth = (w.Mul(first, WgmmaLayout.Depth), end), Parts = parts });
        });

    private static Reg Steps(PtxWriter w) => w.Div(w.Add(GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.K)), WgmmaLayout.Depth - 1), WgmmaLayout.Depth);

    private static WgmmaPart Place(PtxWriter w, WgmmaLayout layout, Reg index)
    {
        GemmTile tile = layout.Tile;
        (Reg row, Reg column) = GemmBlock.Place(w, index, tile.M * tile.Cluster, layout.Columns, GemmBlock.RowsTogether / tile.Cluster);
        return new WgmmaPart(tile.Cluster > 1 ? w.Mad(w.ClusterRank(), tile.M, row) : row, column);
    }

    private static Reg PerCluster(PtxWriter w, GemmTile tile, Reg blocks) => tile.Cluster > 1 ? w.Div(blocks, tile.Cluster) : blocks;
}
