using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Wgmma;

/// <summary>Turns heads by rotary positions where a product by warpgroups ends: in the consumer's tile, rounded to y's type, before tensor maps store it. Both columns of a pair are in the tile.</summary>
internal sealed class WgmmaTurns(PtxWriter w, WgmmaLayout layout, WgmmaChunks chunks)
{
    private readonly GemmRotation _rotation = layout.Spec.Rotation!.Value;

    /// <summary>Each warp for its own rows.</summary>
    /// <param name="row">Row of y that the consumer's first one is.</param>
    /// <param name="column">Of y that the tile's first one is.</param>
    public void Write(Reg row, Reg column)
    {
        Reg rows = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.M));
        chunks.ForRows(row, at =>
        {
            Reg inside = w.Compare("lt", at, rows);
            for (int panel = 0; panel < layout.Panels; panel += Together)
            {
                Turn([.. Enumerable.Range(panel, Together).Select(p => At(p, column))], at, inside);
            }
        });
    }

    /// <summary>Panels that have both columns of all their pairs.</summary>
    private int Together
        => _rotation.IsInterleaved || TensorMapShape.BoxColumns % _rotation.HeadDim == 0 ? 1 : _rotation.HeadDim % TensorMapShape.BoxColumns == 0 ? _rotation.HeadDim / TensorMapShape.BoxColumns : layout.Panels;

    private void Turn(Chunk[] own, Reg row, Reg inside)
    {
        Reg[][] turned = [.. own.Select(chunk => Pairs(chunk.Turn.Turn(row, inside, isSecond => chunks.Load(isSecond ? chunk.Second : chunk.First))))];

        // Other lanes have read what this one overwrites.
        w.WarpBarrier();
        for (int i = 0; i < own.Length; i++)
        {
            chunks.Store(own[i].Place, turned[i]);
        }
    }

    /// <summary>A lane's chunk of a panel: where it lies, where the first and the second columns of its pairs do, and what turns them.</summary>
    private readonly record struct Chunk(Reg Place, Reg First, Reg Second, HeadTurn Turn);

    private Chunk At(int panel, Reg column)
    {
        Reg inTile = chunks.Column(panel), place = chunks.Place(inTile);
        var turn = new HeadTurn(w, _rotation, w.Add(column, inTile), WgmmaChunks.Elements);
        return _rotation.IsInterleaved
            ? new(place, place, place, turn)
            : new(place, chunks.Place(w.Add(inTile, turn.ToFirst)), chunks.Place(w.Add(inTile, turn.ToSecond)), turn);
    }

    private Reg[] Pairs(Reg[] values) => [.. Enumerable.Range(0, values.Length / 2).Select(i => w.Pack(layout.Spec.Output, values[2 * i], values[(2 * i) + 1]))];
}
