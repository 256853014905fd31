using System.Runtime.CompilerServices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>
/// Matrix products by multiply-adds in float, exact to float's rounding, for every device. A lane has squares of 4 × 4 of its warp's sums, 8 × 4 to 16 × 8 in all;
/// tiles of a and b lie in shared memory with the depth outermost, so that four rows or columns of a lane are one load of 16 bytes.
/// </summary>
/// <remarks>Lanes are numbered such that neighbors share a column of squares: loads of 16 bytes then need no more cycles than they have different words.</remarks>
internal sealed class SimtGemm
{
    /// <summary>Rows and columns of a warp's lanes, four each: a lane's next square is so far away.</summary>
    private const int LanesM = 4 * 4, LanesN = 8 * 4;

    private readonly PtxWriter _w;
    private readonly GemmSpec _spec;
    private readonly GemmTile _tile;
    private readonly int _depth;
    private readonly int _rows;
    private readonly int _columns;

    private SimtGemm(in GemmSpec spec, GemmTile tile)
    {
        (_spec, _tile, _depth, _rows, _columns) = (spec, tile, tile.DepthBytes / 4, 4 * tile.WarpM / LanesM, 4 * tile.WarpN / LanesN);
        _w = new PtxWriter("gemm_simt", 60, tile.Threads, Unsafe.SizeOf<GemmArguments>(), tile.Blocks);
    }

    /// <summary>A cut of blocks of <paramref name="m"/> × <paramref name="n"/>, eight steps at a time, of warps of <paramref name="warpM"/> × <paramref name="warpN"/>.</summary>
    public static GemmTile Tile(int m, int n, int warpM, int warpN, int blocks) => new(m, n, warpM, warpN, 4 * 8, 2, blocks);

    public static int SharedBytes(GemmTile tile) => 2 * BufferBytes(tile);

    public static PtxProgram Write(in GemmSpec spec, GemmTile tile) => new SimtGemm(spec, tile).Write();

    private static int BufferBytes(GemmTile tile) => tile.DepthBytes / 4 * (RegisterCopy.Pitch(tile.M) + RegisterCopy.Pitch(tile.N));

    private PtxProgram Write()
    {
        Reg thread = _w.ThreadX(), lane = _w.And(thread, 31), warp = _w.Shr(thread, 5);
        int across = _tile.N / _tile.WarpN;
        Reg row = _w.Mad(_w.Div(warp, across), _tile.WarpM, _w.Shl(_w.Or(_w.And(lane, 1), _w.Shl(_w.Shr(lane, 4), 1)), 2));
        Reg column = _w.Mad(_w.Rem(warp, across), _tile.WarpN, _w.Shl(_w.And(_w.Shr(lane, 1), 7), 2));
        Reg shared = _w.SharedBase();
        var block = new GemmBlock(_w, _spec, _tile.M, _tile.N);
        Reg[] sums = _w.New(RegKind.F32, _rows * _columns);
        foreach (Reg sum in sums)
        {
            _w.Set(sum, 0f);
        }

        MainLoop(block, thread, shared, row, column, sums);
        Epilogue(block, _w.Add(block.Row, row), _w.Add(block.Column, column), sums);
        return _w.Finish(SharedBytes(_tile));
    }

    private void MainLoop(GemmBlock block, Reg thread, Reg shared, Reg row, Reg column, Reg[] sums)
    {
        int pitchA = RegisterCopy.Pitch(_tile.M), pitchB = RegisterCopy.Pitch(_tile.N), bytesA = _depth * pitchA;
        Reg sharedB = _w.Add(shared, bytesA);
        var copyA = new RegisterCopy(_w, _spec.Input, !_spec.ColumnsA, _spec.AlignA, _spec.RaggedDepth, _tile.M, _depth, thread, shared, block.A, block.StrideA, block.Row, block.Rows, block.DepthBegin, block.DepthEnd);
        var copyB = new RegisterCopy(_w, _spec.Input, _spec.ColumnsB, _spec.AlignB, _spec.RaggedDepth, _tile.N, _depth, thread, sharedB, block.B, block.StrideB, block.Column, block.Columns, block.DepthBegin, block.DepthEnd);
        Reg a = _w.Mad(row, 4, shared), b = _w.Mad(column, 4, sharedB);
        Reg buffer = _w.New(RegKind.B32), left = _w.New(RegKind.B32);
        _w.Set(buffer, 0);
        _w.Set(left, _w.Sub(block.DepthEnd, block.DepthBegin));
        string loop = _w.NewLabel(), end = _w.NewLabel();
        using (_w.When(_w.Compare("le", left, 0)))
        {
            _w.Branch(end);
        }

        copyA.Load();
        copyB.Load();
        copyA.Store(buffer);
        copyB.Store(buffer);
        _w.Barrier();
        _w.Mark(loop);
        copyA.Load();
        copyB.Load();

        // Loads do not sink below a barrier; without one the compiler would put them before their use, at the end, where nothing hides their latency.
        _w.WarpBarrier();
        Reg fromA = _w.Add(a, buffer), fromB = _w.Add(b, buffer);
        (Reg[] nextA, Reg[] nextB) = (Load(fromA, 0, _rows, LanesM), Load(fromB, 0, _columns, LanesN));
        for (int k = 1; k <= _depth; k++)
        {
            (Reg[] x, Reg[] y) = (nextA, nextB);
            if (k < _depth)
            {
                (nextA, nextB) = (Load(fromA, k * pitchA, _rows, LanesM), Load(fromB, k * pitchB, _columns, LanesN));
            }

            Multiply(x, y, sums);
        }

        _w.Set(buffer, _w.Sub(_w.Const(BufferBytes(_tile)), buffer));
        copyA.Store(buffer);
        copyB.Store(buffer);
        _w.Barrier();
        _w.Set(left, _w.Sub(left, _depth));
        using (_w.When(_w.Compare("gt", left, 0)))
        {
            _w.Branch(loop);
        }

        _w.Mark(end);
    }

    private void Multiply(Reg[] x, Reg[] y, Reg[] sums)
    {
        for (int i = 0; i < _rows; i++)
        {
            for (int j = 0; j < _columns; j++)
            {
                // There and back, so that neighbors share an operand.
                int at = i % 2 == 0 ? j : _columns - 1 - j;
                Reg sum = sums[_columns * i + at];
                _w.Emit($"fma.rn.f32 {sum}, {x[i]}, {y[at]}, {sum}");
            }
        }
    }

    /// <summary>A lane's rows or columns, four by four, <paramref name="apart"/> from four to four.</summary>
    private Reg[] Load(Reg address, int offset, int count, int apart)
        => [.. Enumerable.Range(0, count / 4).SelectMany(i => _w.LoadShared(RegKind.F32, 4, address, offset + 4 * i * apart))];

    private void Epilogue(GemmBlock block, Reg row, Reg column, Reg[] sums)
    {
        var epilogue = new GemmEpilogue(_w, _spec, block);
        string narrow = _w.NewLabel(), end = _w.NewLabel();
        if (_spec.WideY)
        {
            epilogue.BranchUnlessWhole(block.Column, _tile.N, 4, narrow);
            Store(epilogue, row, column, sums, 4);
            _w.Branch(end);
            _w.Mark(narrow);
        }

        Store(epilogue, row, column, sums, 1);
        _w.Mark(end);
    }

    private void Store(GemmEpilogue epilogue, Reg row, Reg column, Reg[] sums, int count)
    {
        for (int j = 0; j < _columns; j += count)
        {
            GemmEpilogue.Place place = epilogue.At(_w.Add(column, j % 4 + j / 4 * LanesN), count, check: true);
            for (int i = 0; i < _rows; i++)
            {
                epilogue.Store(place, _w.Add(row, i % 4 + i / 4 * LanesM), sums.AsSpan(_columns * i + j, count));
            }
        }
    }
}
