using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Wgmma;

/// <summary>
/// What a consumer does with its sums: y = alpha · sums (+ bias) (+ residual) (+ y). 16-bit results go through shared memory, swizzled, and are stored by a tensor map while
/// the next tile is computed; the residual has come to the same place. Float, ragged and accumulated results are stored from registers.
/// </summary>
internal sealed class WgmmaResults
{
    private readonly PtxWriter _w;
    private readonly WgmmaLayout _layout;
    private readonly Reg _group, _warp, _lane, _isStorer, _tile, _barrier, _parity;
    private readonly Reg _mapY, _mapResidual;
    private readonly Reg[] _chunks = [];

    public WgmmaResults(PtxWriter w, WgmmaLayout layout, Reg shared, Reg group, Reg thread, Reg isElected)
    {
        (_w, _layout, _group) = (w, layout, group);
        _lane = w.And(thread, 31);
        _warp = w.And(w.Shr(thread, 5), 3);
        if (!layout.HasResultTile)
        {
            return;
        }

        _isStorer = w.Both(isElected, w.Compare("eq", _warp, 0));
        _tile = w.Add(w.Mad(group, layout.ResultBytes, shared), layout.ResultAt);
        _mapY = w.TensorMap(WgmmaArguments.AtY);
        if (HasResidual)
        {
            _mapResidual = w.TensorMap(WgmmaArguments.AtResidual);
            _barrier = w.Add(w.Mad(group, 8, shared), layout.BarriersAt + layout.ResidualOf);
            _parity = w.New(RegKind.B32);
            w.Set(_parity, 0);
        }

        // A lane's row of the matrices that it addresses, and the first of its chunks in each 16 columns of a panel.
        Reg inEight = w.And(_lane, 7), row = w.Mad(_w.Mad(_warp, 16, w.And(_lane, 15)), PtxWgmma.RowBytes, _tile), half = w.Shr(_lane, 4);
        _chunks = [.. Enumerable.Range(0, 4).Select(i => w.Mad(w.Xor(w.Add(half, 2 * i), inEight), 16, row))];
    }

    private bool HasResidual => _layout.Spec.Residual is not null;

    private int Panels => _layout.Tile.N / TensorMapShape.BoxColumns;

    /// <summary>Asks for the tile's residual.</summary>
    public void Begin(Reg row, Reg column)
    {
        if (!_layout.HasResultTile || !HasResidual)
        {
            return;
        }

        using (_w.When(_isStorer))
        {
            _w.WaitStoresRead();
            _w.ArriveExpecting(_barrier, 0, _layout.ResultBytes);
        }

        ForEachPanel(row, column, (x, y, offset) => _w.LoadTile(_tile, offset, _mapResidual, x, y, _barrier, 0));
    }

    public void Store(Reg row, Reg column, Reg[][] sums)
    {
        var epilogue = new GemmEpilogue(
            _w, _layout.Spec,
            (GemmArguments.Read(_w, RegKind.B64, nameof(GemmArguments.Y)), HasResidual ? GemmArguments.Read(_w, RegKind.B64, nameof(GemmArguments.Residual)) : default),
            GemmArguments.Read(_w, RegKind.B32, nameof(GemmArguments.M)), GemmArguments.Read(_w, RegKind.B32, nameof(GemmArguments.N)));
        Reg first = _w.Mad(_w.And(_lane, 3), 2, column);
        if (_layout.HasResultTile)
        {
            StoreTile(epilogue, row, column, first, sums);
        }
        else
        {
            WgmmaRows.Store(_w, _layout, epilogue, _w.Add(OwnRow(row), _w.Mad(_warp, 16, _w.Shr(_lane, 2))), first, sums);
        }
    }

    /// <summary>Shared memory is not given back before it is read.</summary>
    public void End()
    {
        if (_layout.HasResultTile)
        {
            using (_w.When(_isStorer))
            {
                _w.WaitStores();
            }
        }
    }

    private Reg OwnRow(Reg row) => _w.Mad(_group, 64 * _layout.Heights, row);

    private void StoreTile(GemmEpilogue epilogue, Reg row, Reg column, Reg first, Reg[][] sums)
    {
        if (HasResidual)
        {
            _w.WaitBarrier(_barrier, 0, _parity, "the residual");
            _w.Set(_parity, _w.Xor(_parity, 1));
        }
        else
        {
            using (_w.When(_isStorer))
            {
                _w.WaitStoresRead();
            }

            Meet();
        }

        GpuType type = _layout.Spec.Output;
        for (int n = 0; n < _layout.Tile.N; n += 16)
        {
            GemmEpilogue.Place[] places = [.. new[] { n, n + 8 }.Select(c => epilogue.At(_w.Add(first, c), 2, check: true))];
            for (int height = 0; height < sums.Length; height++)
            {
                Reg address = _chunks[n / 16 % 4];
                int offset = (height * Panels + n / 64) * WgmmaLayout.PanelBytes;
                Reg[]? residual = HasResidual ? _w.LoadMatrix(4, transpose: false, address, offset) : null;
                var pairs = new Reg[4];
                for (int i = 0; i < 4; i++)
                {
                    Reg[] values = epilogue.Scale(places[i / 2].Bias, sums[height].AsSpan(n / 2 + 2 * i, 2));
                    pairs[i] = _w.Pack(type, values[0], values[1]);
                    if (residual is not null)
                    {
                        (Reg low, Reg high) = _w.Unpack(type, pairs[i]);
                        (Reg lowR, Reg highR) = _w.Unpack(type, residual[i]);
                        pairs[i] = _w.Pack(type, _w.Add(low, lowR), _w.Add(high, highR));
                    }
                }

                _w.StoreMatrix(address, offset, pairs);
            }
        }

        _w.FenceAsync();
        Meet();
        ForEachPanel(row, column, (x, y, offset) => _w.StoreTile(_mapY, x, y, _tile, offset));
        using (_w.When(_isStorer))
        {
            _w.CommitStores();
        }
    }

    /// <summary>The consumer's four warps meet.</summary>
    private void Meet() => _w.Barrier(_w.Add(_group, 1), 128);

    /// <summary>Boxes of 64 × 64 of the consumer's part of the tile, for the one thread that copies them.</summary>
    private void ForEachPanel(Reg row, Reg column, Action<Reg, Reg, int> copy)
    {
        Reg own = OwnRow(row);
        for (int i = 0; i < _layout.Heights * Panels; i++)
        {
            Reg x = _w.Add(column, i % Panels * TensorMapShape.BoxColumns), y = _w.Add(own, i / Panels * 64);
            using (_w.When(_isStorer))
            {
                copy(x, y, i * WgmmaLayout.PanelBytes);
            }
        }
    }
}
