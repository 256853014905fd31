using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Wgmma;

/// <summary>
/// The role of one warp that fills stages: it waits until a stage is empty, says how many bytes will come, and has one lane ask for them. In a cluster a part of b's bytes comes from each block, and
/// the part that this one asks for goes to all.
/// </summary>
internal sealed class WgmmaProducer(PtxWriter w, WgmmaLayout layout, Reg shared, Reg isElected)
{
    private readonly Reg _mapA = w.TensorMap(WgmmaArguments.AtA), _mapB = w.TensorMap(WgmmaArguments.AtB);
    private readonly Reg _rank = layout.Cluster > 1 ? w.ClusterRank() : default, _blocks = layout.Cluster > 1 ? w.AllBlocks(layout.Cluster) : default;
    private readonly Reg _depth = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.K));
    private readonly Reg _half = layout.Spec.HasPairs ? w.Shr(GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.N)), 1) : default;

    public void Write()
    {
        var ring = new PtxRing(w, layout.Ring, shared, firstParity: 1);
        WgmmaTiles.ForEach(w, layout, part =>
        {
            Reg depth = w.New(RegKind.B32);
            w.Set(depth, part.Depth is { } own ? own.Begin : 0);
            string next = w.NewLabel();
            w.Mark(next);
            Reg barrier = ring.Barrier(), tiles = ring.Tile();
            w.WaitBarrier(barrier, layout.Empty, ring.Parity, "a stage to be read");
            using (w.When(isElected))
            {
                w.ArriveExpecting(barrier, WgmmaLayout.Full, layout.StageBytes);
            }

            Load(ofA: true, _mapA, part.Row, depth, tiles, 0, barrier);
            Load(ofA: false, _mapB, part.Column, depth, tiles, layout.BytesA, barrier);
            if (layout.Spec.HasPairs)
            {
                // What the gates multiply: from the second half of b's rows.
                Load(ofA: false, _mapB, w.Add(part.Column, _half), depth, tiles, layout.BytesA + (layout.Columns * PtxWgmma.RowBytes), barrier);
            }

            ring.Advance();
            w.Set(depth, w.Add(depth, WgmmaLayout.Depth));
            using (w.When(w.Compare("lt", depth, part.Depth?.End ?? _depth)))
            {
                w.Branch(next);
            }
        });
    }

    /// <summary>Rows along the depth come in one box, others 64 of m or n at a time.</summary>
    private void Load(bool ofA, Reg map, Reg first, Reg depth, Reg tiles, int offset, Reg barrier)
    {
        bool alongDepth = layout.Spec.IsDepthContiguous(ofA);
        bool isShared = !ofA && layout.Cluster > 1;
        if (isShared)
        {
            // The part of the boxes' rows that has the block's rank.
            int rows = layout.BoxRows(ofA: false);
            tiles = w.Mad(_rank, rows * PtxWgmma.RowBytes, tiles);
            Reg further = w.Mul(_rank, rows);
            (first, depth) = alongDepth ? (w.Add(first, further), depth) : (first, w.Add(depth, further));
        }

        int boxes = alongDepth ? 1 : (ofA ? layout.Tile.M : layout.Tile.N) / TensorMapShape.BoxColumns;
        for (int i = 0; i < boxes; i++)
        {
            Reg at = i == 0 ? first : w.Add(first, i * TensorMapShape.BoxColumns);
            (Reg x, Reg y) = alongDepth ? (depth, at) : (at, depth);
            int place = offset + i * WgmmaLayout.PanelBytes;
            using (w.When(isElected))
            {
                if (isShared)
                {
                    w.LoadTileTo(_blocks, tiles, place, map, x, y, barrier, WgmmaLayout.Full);
                }
                else
                {
                    w.LoadTile(tiles, place, map, x, y, barrier, WgmmaLayout.Full);
                }
            }
        }
    }
}
