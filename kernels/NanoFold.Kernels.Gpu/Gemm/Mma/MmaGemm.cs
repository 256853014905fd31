using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels.Gpu.Gemm.Slices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Mma;

/// <summary>
/// Matrix products on tensor cores (bf16, f16, or float rounded to tf32; sums in float) for compute capability 8.0 and above. Tiles of a and b run through
/// a ring of stages in shared memory, filled in the background; each warp keeps its sums in registers, and its next fragments are on their way while it multiplies.
/// </summary>
/// <remarks>The scheme is that of NVIDIA's CUTLASS for this generation (multistage mainloop), written anew.</remarks>
internal sealed class MmaGemm
{
    private readonly PtxWriter _w;
    private readonly GemmSpec _spec;
    private readonly GemmTile _tile;
    private readonly Reg[] _sums;
    private readonly int _steps;
    private Reg _lane, _warp, _warpRow, _warpColumn, _shared;

    private MmaGemm(in GemmSpec spec, GemmTile tile, int architecture, bool startsEarly)
    {
        (_spec, _tile) = (spec, tile);

        // Only rounding to tf32 is done otherwise by later devices, and kernels start early there.
        int target = architecture >= 90 && (startsEarly || spec.Input == GpuType.Float32) ? 90 : 80;
        _w = new PtxWriter("gemm_mma", target, tile.Threads, System.Runtime.CompilerServices.Unsafe.SizeOf<GemmArguments>(), tile.Blocks) { StartsEarly = startsEarly };
        _steps = tile.DepthBytes / 32;
        _sums = _w.New(RegKind.F32, tile.WarpM * tile.WarpN / 32);
    }

    /// <summary>Whether a tile's threads and shared memory work out for a kind of product.</summary>
    public static bool Fits(in GemmSpec spec, GemmTile tile)
    {
        if ((spec.HasPairs && !spec.ColumnsB) || (spec.Rotation is { } rotation && !rotation.Fits(tile)))
        {
            return false;
        }

        foreach (bool ofA in (ReadOnlySpan<bool>)[true, false])
        {
            var shared = new SharedTile(spec.Input, spec.IsDepthContiguous(ofA), ofA ? tile.M : tile.N, tile.DepthBytes);
            int rows = tile.Threads / (shared.Pitch / 16), period = spec.Input == GpuType.Float32 && !shared.AlongDepth ? 4 : 8;
            if (rows < period || shared.Rows % rows != 0)
            {
                return false;
            }
        }

        return true;
    }

    public static int SharedBytes(GemmTile tile)
        => Math.Max(tile.Stages * tile.StageBytes, tile.Threads / 32 * MmaStaging.Bytes(tile));

    public static PtxProgram Write(in GemmSpec spec, GemmTile tile, int architecture, bool startsEarly) => new MmaGemm(spec, tile, architecture, startsEarly).Write();

    private PtxProgram Write()
    {
        Reg thread = _w.ThreadX();
        _lane = _w.And(thread, 31);
        _warp = _w.Shr(thread, 5);
        int across = _tile.N / _tile.WarpN;
        _warpRow = _w.Mul(_w.Div(_warp, across), _tile.WarpM);
        _warpColumn = _w.Mul(_w.Rem(_warp, across), _tile.WarpN);
        _shared = _w.SharedBase();
        SliceParts? parts = _spec.Mode == GemmMode.SumSlices
            ? SliceParts.OfSlices(_w, _w.BlockX(), _w.BlockZ(), GemmArguments.Read(_w, RegKind.B32, nameof(GemmArguments.Groups)))
            : null;
        WriteTile(new GemmBlock(_w, _spec, _tile.M, _tile.N), thread, parts);
        return _w.Finish(SharedBytes(_tile));
    }

    /// <param name="parts">Which part of the tile's depth it is, where it has several.</param>
    private void WriteTile(GemmBlock block, Reg thread, SliceParts? parts)
    {
        foreach (Reg sum in _sums)
        {
            _w.Set(sum, 0f);
        }

        MainLoop(block, thread);
        _w.LetNextStart();
        string end = _w.NewLabel();
        if (parts is { } several)
        {
            new LastSum(_w, _tile.Threads, thread, _shared, () => _w.Barrier()).Write(_sums, several, 1, null, end);

            // Sums on their way to y lie where the ticket was.
            _w.Barrier();
        }

        if (_spec.SumsRows)
        {
            GemmRowSums.Write(_w, _spec, [.. _sums.Chunk(_tile.WarpN / 2)], 16, new(_w.Add(block.Row, _warpRow), _w.Add(block.Column, _warpColumn), block.Rows, block.Columns), _lane);
        }

        var staging = new MmaStaging(_w, _tile, _sums, _lane, _warp, _shared);
        if (_spec.Gate is not null)
        {
            new MmaGatedResults(_w, _spec, _tile, staging, block, _warpRow, _warpColumn).Write();
        }
        else if (_spec.Rotation is not null)
        {
            MmaRotatedResults.Write(_w, _spec, _tile, staging, block, _warpRow, _warpColumn);
        }
        else
        {
            MmaResults.Write(_w, _spec, _tile, staging, block, _warpRow, _warpColumn);
        }

        if (parts is not null)
        {
            _w.Mark(end);
        }
    }

    private void MainLoop(GemmBlock block, Reg thread)
    {
        var tileA = new SharedTile(_spec.Input, _spec.IsDepthContiguous(true), _tile.M, _tile.DepthBytes);
        var tileB = new SharedTile(_spec.Input, _spec.IsDepthContiguous(false), _tile.N, _tile.DepthBytes);
        Reg sharedB = _w.Add(_shared, tileA.Bytes);
        var copyA = new TileCopy(_w, tileA, _spec.AlignA, _spec.RaggedDepth, thread, _shared, block.A, block.StrideA, block.Row, block.Rows, block.DepthBegin, block.DepthEnd);
        var copyB = new TileCopy(_w, tileB, _spec.AlignB, _spec.RaggedDepth, thread, sharedB, block.B, block.StrideB, block.Column, block.Columns, block.DepthBegin, block.DepthEnd, copyA, _spec.HasPairs ? _tile.WarpN / 2 : 0);
        var fragmentsA = new Fragments(_w, tileA, true, _lane, _warpRow, _tile.WarpM, _shared, keepsAddresses: true);
        var fragmentsB = new Fragments(_w, tileB, false, _lane, _warpColumn, _tile.WarpN, sharedB, keepsAddresses: true);

        _w.WaitForEarlier();
        _w.Comment("fill all stages but one");
        Reg write = _w.New(RegKind.B32), read = _w.New(RegKind.B32), left = _w.New(RegKind.B32);
        for (int stage = 0; stage < _tile.Stages - 1; stage++)
        {
            _w.Set(write, stage * _tile.StageBytes);
            copyA.Copy(write, 0, copyA.Passes);
            copyB.Copy(write, 0, copyB.Passes);
            copyA.Advance();
            copyB.Advance();
            _w.CommitCopies();
        }

        _w.Set(write, (_tile.Stages - 1) * _tile.StageBytes);
        _w.Set(read, 0);
        _w.Set(left, _w.Sub(block.DepthEnd, block.DepthBegin));
        string loop = _w.NewLabel(), end = _w.NewLabel();
        using (_w.When(_w.Compare("le", left, 0)))
        {
            _w.Branch(end);
        }

        _w.WaitCopies(_tile.Stages - 2);
        _w.Barrier();

        // Two sets of fragments, by turns; what the loop's end loads, its beginning uses.
        Reg[][] a = fragmentsA.Load(read, 0), b = fragmentsB.Load(read, 0);
        Reg[][] firstA = a, firstB = b;
        _w.Mark(loop);
        for (int step = 0; step < _steps; step++)
        {
            bool isLast = step == _steps - 1;
            if (isLast)
            {
                _w.WaitCopies(_tile.Stages - 2);
                _w.Barrier();
                Advance(read);
            }

            Reg[][] nextA = fragmentsA.Load(read, isLast ? 0 : step + 1), nextB = fragmentsB.Load(read, isLast ? 0 : step + 1);
            if (!isLast)
            {
                int parts = _steps - 1;
                copyA.Copy(write, copyA.Passes * step / parts, copyA.Passes * (step + 1) / parts);
                copyB.Copy(write, copyB.Passes * step / parts, copyB.Passes * (step + 1) / parts);
            }

            if (step == _steps - 2)
            {
                _w.CommitCopies();
                copyA.Advance();
                copyB.Advance();
                Advance(write);
            }

            Multiply(a, b);
            (a, b) = (nextA, nextB);
        }

        SetAll(firstA, a);
        SetAll(firstB, b);
        _w.Set(left, _w.Sub(left, tileA.Depth));
        using (_w.When(_w.Compare("gt", left, 0)))
        {
            _w.Branch(loop);
        }

        _w.Mark(end);
        _w.WaitCopies(0);
        _w.Barrier();
    }

    private void Multiply(Reg[][] a, Reg[][] b)
    {
        int columns = _tile.WarpN / 8;
        for (int m = 0; m < a.Length; m++)
        {
            for (int n = 0; n < columns; n++)
            {
                // There and back, so that neighbors share an operand.
                int column = m % 2 == 0 ? n : columns - 1 - n;
                _w.MultiplyAccumulate(_spec.Input, Sums(m, column), a[m], b[column / 2].AsSpan(column % 2 * 2, 2));
            }
        }
    }

    private Span<Reg> Sums(int m, int n) => _sums.AsSpan((m * (_tile.WarpN / 8) + n) * 4, 4);

    private void Advance(Reg stage)
    {
        Reg next = _w.Add(stage, _tile.StageBytes);
        _w.Set(stage, _w.Select(_w.Compare("eq", next, _tile.Stages * _tile.StageBytes), 0, next));
    }

    private void SetAll(Reg[][] targets, Reg[][] sources)
    {
        for (int i = 0; i < targets.Length; i++)
        {
            for (int j = 0; j < targets[i].Length; j++)
            {
                _w.Set(targets[i][j], sources[i][j]);
            }
        }
    }
}
