using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>Copies rows of one head to shared memory in the background; what lies after the last row or the head dimension becomes zero.</summary>
internal sealed class FlashCopy
{
    private readonly PtxWriter _w;
    private readonly int _rowsAPass, _passes, _pitch;
    private readonly Reg _row, _target, _source, _stride, _isThere;

    /// <param name="w">Of the kernel.</param>
    /// <param name="tile">Along the depth.</param>
    /// <param name="thread">Of the block.</param>
    /// <param name="rows">Address of the head's first row.</param>
    /// <param name="stride">Bytes between rows.</param>
    /// <param name="depth">D.</param>
    public FlashCopy(PtxWriter w, SharedTile tile, Reg thread, Reg rows, Reg stride, Reg depth)
    {
        _w = w;
        _pitch = tile.Pitch;
        int chunks = _pitch / 16;
        _rowsAPass = w.Threads / chunks;
        _passes = tile.Rows / _rowsAPass;
        _row = w.Shr(thread, int.Log2(chunks));
        Reg chunk = w.And(thread, chunks - 1);
        _target = tile.Offset(w, _row, chunk);
        _source = w.MadWide(chunk, 16, rows);
        _stride = stride;
        _isThere = w.Compare("lt", w.Shl(chunk, 3), depth);
    }

    /// <summary>Begins to copy rows from <paramref name="first"/> on to shared address <paramref name="shared"/>; there are <paramref name="end"/> in all.</summary>
    public void Copy(Reg shared, Reg first, Reg end) => Copy(_source, shared, first, end);

    /// <summary>The same of a head, where the rows are those of head 0.</summary>
    /// <param name="head">Its number.</param>
    /// <param name="step">Bytes between heads.</param>
    /// <param name="shared">Where they go.</param>
    /// <param name="first">The first row.</param>
    /// <param name="end">Number of rows.</param>
    public void CopyHead(Reg head, Reg step, Reg shared, Reg first, Reg end) => Copy(_w.MadWide(head, step, _source), shared, first, end);

    private void Copy(Reg rows, Reg shared, Reg first, Reg end)
    {
        Reg row = _w.Add(first, _row), target = _w.Add(_target, shared), source = _w.MadWide(row, _stride, rows);
        Reg left = _w.Select(_isThere, _w.Sub(end, row), 0);
        for (int i = 0; i < _passes; i++)
        {
            int offset = i * _rowsAPass;
            Reg at = i == 0 ? source : _w.MadWide(_stride, offset, source);
            _w.CopyAsync(target, offset * _pitch, at, 0, 16, _w.Select(_w.Compare("gt", left, offset), 16, 0));
        }
    }
}
