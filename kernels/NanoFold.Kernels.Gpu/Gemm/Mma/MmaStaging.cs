using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Mma;

/// <summary>Sums of 16 of a warp's rows at a time, on their way through shared memory from the layout of fragments to that of rows.</summary>
internal sealed class MmaStaging
{
    private readonly PtxWriter _w;
    private readonly GemmTile _tile;
    private readonly Reg[] _sums;
    private readonly Reg _warp, _shared;
    private Reg _write;

    /// <param name="w">Of the kernel.</param>
    /// <param name="tile">Its tile.</param>
    /// <param name="sums">Of the warp, as tensor cores have them.</param>
    /// <param name="lane">Of the warp.</param>
    /// <param name="warp">Of the block.</param>
    /// <param name="shared">The block's memory, which nobody needs any more.</param>
    public MmaStaging(PtxWriter w, GemmTile tile, Reg[] sums, Reg lane, Reg warp, Reg shared)
    {
        (_w, _tile, _sums, Pitch, Lane, _warp, _shared) = (w, tile, sums, PitchOf(tile), lane, warp, shared);
    }

    /// <summary>The warp's part of the memory.</summary>
    public Reg Own { get; private set; }

    public Reg Lane { get; }

    /// <summary>Bytes from row to row.</summary>
    public int Pitch { get; }

    /// <summary>Of a warp.</summary>
    public static int Bytes(GemmTile tile) => 16 * PitchOf(tile);

    /// <summary>Writes its addresses.</summary>
    public void Begin()
    {
        Own = _w.Mad(_warp, Bytes(_tile), _shared);
        _write = _w.Mad(_w.Shr(Lane, 2), Pitch, _w.Mad(_w.And(Lane, 3), 8, Own));
    }

    /// <summary>Brings the <paramref name="m"/>th 16 rows there; all lanes see them.</summary>
    public void Stage(int m)
    {
        _w.WarpBarrier();
        for (int n = 0; n < _tile.WarpN / 8; n++)
        {
            Span<Reg> sums = _sums.AsSpan((m * (_tile.WarpN / 8) + n) * 4, 4);
            _w.StoreShared(_write, 32 * n, sums[0], sums[1]);
            _w.StoreShared(_write, 32 * n + 8 * Pitch, sums[2], sums[3]);
        }

        _w.WarpBarrier();
    }

    /// <summary>Adjacent sums of a row.</summary>
    public Reg[] Load(Reg from, int offset, int count)
        => count == 1 ? [_w.LoadShared(RegKind.F32, from, offset)] : [.. Enumerable.Range(0, count / 4).SelectMany(i => _w.LoadShared(RegKind.F32, 4, from, offset + 16 * i))];

    private static int PitchOf(GemmTile tile) => 4 * (tile.WarpN + 8);
}
