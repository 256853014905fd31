using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Wgmma;

/// <summary>
/// What a warp has left of its rows in a consumer's tile of results, 16 bytes a lane at a time: eight lanes have a row of 64 columns, and a warp has four rows at once. The tile is swizzled, so that
/// chunk c of row r lies where c crossed with r (mod 8) says.
/// </summary>
internal sealed class WgmmaChunks
{
    /// <summary>Elements of 16 bits in a chunk.</summary>
    public const int Elements = 8;

    private const int RowsTogether = 4, WarpRows = 16;

    private readonly PtxWriter _w;
    private readonly WgmmaLayout _layout;
    private readonly Reg _tile, _chunk, _rowOfFour, _row, _flip, _at;

    /// <param name="w">Of the kernel.</param>
    /// <param name="layout">Of the block.</param>
    /// <param name="tile">Address of the consumer's tile.</param>
    /// <param name="warp">Of the consumer.</param>
    /// <param name="lane">Of the warp.</param>
    public WgmmaChunks(PtxWriter w, WgmmaLayout layout, Reg tile, Reg warp, Reg lane)
    {
        (_w, _layout, _tile, _chunk, _rowOfFour) = (w, layout, tile, w.And(lane, 7), w.Shr(lane, 3));
        _row = w.Mad(warp, WarpRows, _rowOfFour);
        (_flip, _at) = (w.New(RegKind.B32), w.New(RegKind.B32));
    }

    /// <summary>The first column of the lane's chunk of a panel, from the tile's first one on.</summary>
    public Reg Column(int panel) => _w.Mad(_chunk, Elements, _w.Const(panel * TensorMapShape.BoxColumns));

    /// <summary>Address of the chunk of a column of the tile, of the lane's first row.</summary>
    public Reg Place(Reg column)
    {
        Reg panel = _w.Shr(column, int.Log2(TensorMapShape.BoxColumns)), chunk = _w.And(_w.Shr(column, int.Log2(Elements)), 7);
        Reg inRow = _w.Mad(_w.Xor(chunk, _rowOfFour), 16, _tile);
        return _w.Mad(panel, WgmmaLayout.PanelBytes, _w.Mad(_row, PtxWgmma.RowBytes, inRow));
    }

    /// <summary>For every fourth row of the warp, given the lane's.</summary>
    /// <param name="first">Row of y that the consumer's first one is.</param>
    /// <param name="write">In a loop; its places are those of <see cref="Load"/>.</param>
    public void ForRows(Reg first, Action<Reg> write)
    {
        Reg row = _w.New(RegKind.B32);
        for (int height = 0; height < _layout.Heights; height++)
        {
            int begin = height * _layout.Panels * WgmmaLayout.PanelBytes;
            _w.Set(row, _w.Add(_w.Add(first, _row), 64 * height));
            _w.Set(_flip, 0);
            _w.Set(_at, begin);
            string next = _w.NewLabel();
            _w.Mark(next);
            write(row);

            // Four rows further the other half of the chunks comes first.
            _w.Set(row, _w.Add(row, RowsTogether));
            _w.Set(_flip, _w.Xor(_flip, 16 * RowsTogether));
            _w.Set(_at, _w.Add(_at, RowsTogether * PtxWgmma.RowBytes));
            using (_w.When(_w.Compare("lt", _at, begin + (WarpRows * PtxWgmma.RowBytes))))
            {
                _w.Branch(next);
            }
        }
    }

    /// <summary>The results at a place, of the loop's row.</summary>
    public Reg[] Load(Reg place)
    {
        var values = new List<Reg>(Elements);
        foreach (Reg pair in _w.LoadShared(RegKind.B32, Elements / 2, Address(place)))
        {
            (Reg low, Reg high) = _w.Unpack(_layout.Spec.Output, pair);
            values.AddRange([low, high]);
        }

        return [.. values];
    }

    /// <summary>Other results take their place; already rounded, as pairs.</summary>
    public void Store(Reg place, Reg[] pairs) => _w.StoreShared(Address(place), 0, pairs);

    private Reg Address(Reg place) => _w.Add(_w.Xor(place, _flip), _at);
}
