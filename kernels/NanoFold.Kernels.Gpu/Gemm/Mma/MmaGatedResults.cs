using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Mma;

/// <summary>
/// The end of a gated product on tensor cores: as <see cref="MmaResults"/>, with a formula of pairs. Forward the first half of a warp's columns are gates and the second what they
/// multiply, of the same columns of y; backward all are gradients of what the formula gave, whose gates lie in memory.
/// </summary>
internal sealed class MmaGatedResults
{
    private readonly PtxWriter _w;
    private readonly GemmSpec _spec;
    private readonly GemmTile _tile;
    private readonly MmaStaging _staging;
    private readonly GatedEpilogue _epilogue;
    private readonly Reg _row, _column;

    public MmaGatedResults(PtxWriter w, in GemmSpec spec, GemmTile tile, MmaStaging staging, GemmBlock block, Reg warpRow, Reg warpColumn)
    {
        (_w, _spec, _tile, _staging, _epilogue) = (w, spec, tile, staging, new GatedEpilogue(w, spec, block));
        staging.Begin();
        _row = w.Add(block.Row, warpRow);
        _column = w.Add(block.Column, spec.HasPairs ? w.Shr(warpColumn, 1) : warpColumn);
    }

    private int Columns => _spec.HasPairs ? _tile.WarpN / 2 : _tile.WarpN;

    public void Write()
    {
        // Where rows are whole stores, so are both halves of them.
        int count = _spec.WideY ? 16 / _spec.Output.Size() : 1, lanes = Math.Min(32, Columns / count);
        Reg own = _w.Rem(_staging.Lane, lanes), ownRow = _w.Div(_staging.Lane, lanes);
        Reg read = _w.Mad(ownRow, _staging.Pitch, _w.Mad(own, 4 * count, _staging.Own)), row = _w.Add(_row, ownRow);
        GatedEpilogue.Place[] places = [.. Enumerable.Range(0, Columns / count / lanes).Select(i => _epilogue.At(_w.Add(_w.Mad(own, count, _column), i * lanes * count), count))];
        for (int m = 0; m < _tile.WarpM / 16; m++)
        {
            _staging.Stage(m);
            if (_spec.WideY)
            {
                for (int r = 0; r < 16; r += 32 / lanes)
                {
                    Store(places, _w.Add(row, 16 * m + r), read, r * _staging.Pitch, lanes, count);
                }

                continue;
            }

            Reg at = _w.New(RegKind.B32), from = _w.New(RegKind.B32);
            _w.Set(at, 0);
            _w.Set(from, read);
            string rows = _w.NewLabel();
            _w.Mark(rows);
            Store(places, _w.Add(_w.Add(row, 16 * m), at), from, 0, lanes, count);
            _w.Set(at, _w.Add(at, 32 / lanes));
            _w.Set(from, _w.Add(from, 32 / lanes * _staging.Pitch));
            using (_w.When(_w.Compare("lt", at, 16)))
            {
                _w.Branch(rows);
            }
        }
    }

    private void Store(GatedEpilogue.Place[] places, Reg row, Reg read, int offset, int lanes, int count)
    {
        for (int i = 0; i < places.Length; i++)
        {
            int at = offset + 4 * i * lanes * count;
            if (_spec.HasPairs)
            {
                _epilogue.Store(places[i], row, _staging.Load(read, at, count), _staging.Load(read, at + 4 * Columns, count));
                continue;
            }

            (Reg[] Gate, Reg[] Up) loaded = _epilogue.Load(places[i], row, count);
            _epilogue.StoreGradients(places[i], row, loaded, _staging.Load(read, at, count));
        }
    }
}
