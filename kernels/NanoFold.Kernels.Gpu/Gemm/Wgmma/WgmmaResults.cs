using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Wgmma;

/// <summary>
/// What a consumer does with its sums: y = alpha · sums (+ bias) (+ residual) (+ y). 16-bit results go through shared memory, swizzled, and are stored by a tensor map while
/// the next tile is computed; the residual has come to the same place. There gates are applied (<see cref="WgmmaGates"/>) and heads turned (<see cref="WgmmaTurns"/>). Float, ragged and accumulated results
/// are stored from registers.
/// </summary>
internal sealed class WgmmaResults
{
    private readonly PtxWriter _w;
    private readonly WgmmaLayout _layout;
    private readonly Reg _group, _warp, _lane, _isStorer, _tile, _barrier, _parity;
    private readonly Reg _mapY, _mapResidual, _mapUp;
    private readonly Reg[] _chunks = [];
    private readonly WgmmaChunks? _own;

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
        _mapUp = layout.Spec.HasPairs ? w.TensorMap(WgmmaArguments.AtUp) : default;
        _own = layout.Spec.Gate is null && layout.Spec.Rotation is null ? null : new WgmmaChunks(w, layout, _tile, _warp, _lane);
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

    /// <summary>What the tile holds is not y.</summary>
    private bool IsGradient => _layout.Spec.Gate is { IsGradient: true };

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
        if (_layout.Spec.SumsRows)
        {
            Reg rows = GemmArguments.Read(_w, RegKind.B32, nameof(GemmArguments.M)), columns = GemmArguments.Read(_w, RegKind.B32, nameof(GemmArguments.N));
            GemmRowSums.Write(_w, _layout.Spec, sums, 64, new(_w.Mad(_warp, 16, OwnRow(row)), column, rows, columns), _lane);
        }

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
        if (_layout.HasResultTile && !IsGradient)
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
        else if (IsGradient)
        {
            // Each warp has its rows for itself: its lanes have read those of the tile before.
            _w.WarpBarrier();
        }
        else
        {
            using (_w.When(_isStorer))
            {
                _w.WaitStoresRead();
            }

            Meet();
        }

        Stage(epilogue, first, sums);
        if (IsGradient || _layout.Spec.Rotation is not null)
        {
            _w.WarpBarrier();
        }

        if (IsGradient)
        {
            new WgmmaGates(_w, _layout, _own!).Write(OwnRow(row), column);
            return;
        }

        if (_layout.Spec.Rotation is not null)
        {
            new WgmmaTurns(_w, _layout, _own!).Write(OwnRow(row), column);
        }

        _w.FenceAsync();
        Meet();
        ForEachPanel(row, column, (x, y, offset) => _w.StoreTile(MapAt(offset), x, y, _tile, offset));
        using (_w.When(_isStorer))
        {
            _w.CommitStores();
        }

        if (_layout.Spec.HasPairs)
        {
            new WgmmaGates(_w, _layout, _own!).Write(OwnRow(row), column);
        }
    }

    /// <summary>Results, rounded, to the consumer's tile.</summary>
    private void Stage(GemmEpilogue epilogue, Reg first, Reg[][] sums)
    {
        Reg half = _layout.Spec.HasPairs ? _w.Shr(GemmArguments.Read(_w, RegKind.B32, nameof(GemmArguments.N)), 1) : default;
        GpuType type = _layout.Spec.Output;
        for (int n = 0; n < _layout.Tile.N; n += 16)
        {
            GemmEpilogue.Place[] places = [.. new[] { n, n + 8 }.Select(c => epilogue.At(ColumnAt(first, half, c), 2, check: true))];
            for (int height = 0; height < sums.Length; height++)
            {
                Reg address = _chunks[n / 16 % 4];
                int offset = (height * _layout.Panels + n / 64) * WgmmaLayout.PanelBytes;
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
    }

    /// <summary>Of y, for a column of the tile: gates are in its first half.</summary>
    private Reg ColumnAt(Reg first, Reg half, int column)
        => column < _layout.Columns ? _w.Add(first, column) : _w.Add(_w.Add(first, half), column - _layout.Columns);

    private bool IsOfGates(int panel) => panel % _layout.Panels * TensorMapShape.BoxColumns < _layout.Columns;

    private Reg MapAt(int offset) => IsOfGates(offset / WgmmaLayout.PanelBytes) ? _mapY : _mapUp;

    /// <summary>The consumer's four warps meet.</summary>
    private void Meet() => _w.Barrier(_w.Add(_group, 1), 128);

    /// <summary>Boxes of 64 × 64 of the consumer's part of the tile, for the one thread that copies them.</summary>
    private void ForEachPanel(Reg row, Reg column, Action<Reg, Reg, int> copy)
    {
        Reg own = OwnRow(row);
        for (int i = 0; i < _layout.Heights * _layout.Panels; i++)
        {
            Reg x = _w.Add(column, (i % _layout.Panels * TensorMapShape.BoxColumns) - (IsOfGates(i) ? 0 : _layout.Columns)), y = _w.Add(own, i / _layout.Panels * 64);
            using (_w.When(_isStorer))
            {
                copy(x, y, i * WgmmaLayout.PanelBytes);
            }
        }
    }
}
