using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>
/// A warp's fragments of one operand for one tensor-core step of 32 bytes of depth (16 of a 16-bit type, 8 of tf32), from its tile in shared memory:
/// of a per 16 rows four registers, of b per 16 columns two times two. With ldmatrix, transposing where a 16-bit operand is not stored along the depth;
/// a tf32 operand that is not is read word by word, since ldmatrix cannot transpose words.
/// </summary>
internal sealed class Fragments
{
    private readonly PtxWriter _w;
    private readonly SharedTile _tile;
    private readonly bool _isA;
    private readonly int _groups;
    private readonly Reg _address;

    /// <param name="w">Of the kernel.</param>
    /// <param name="tile">In shared memory.</param>
    /// <param name="isA">Of a (else of b).</param>
    /// <param name="lane">Of the warp.</param>
    /// <param name="first">Row or column of the tile where the warp's begin.</param>
    /// <param name="extent">The warp's rows or columns, a power of two from 16.</param>
    /// <param name="shared">Address of the operand in the first stage.</param>
    public Fragments(PtxWriter w, SharedTile tile, bool isA, Reg lane, Reg first, int extent, Reg shared)
    {
        (_w, _tile, _isA, _groups) = (w, tile, isA, extent / 16);
        Reg low = w.And(lane, 7), middle = w.And(w.Shr(lane, 3), 1), high = w.Shr(lane, 4);
        Reg offset;
        if (tile.AlongDepth)
        {
            // Matrices: a by rows, then depth; b by depth, then columns.
            Reg row = w.Add(w.Mad(isA ? middle : high, 8, low), first);
            offset = tile.Offset(w, row, isA ? high : middle);
        }
        else if (tile.Type != GpuType.Float32)
        {
            Reg depth = w.Mad(isA ? high : middle, 8, low);
            offset = tile.Offset(w, depth, w.Add(w.Shr(first, 3), isA ? middle : high));
        }
        else
        {
            Reg depth = w.And(lane, 3), column = w.Shr(lane, 2);
            offset = tile.Offset(w, depth, w.Add(w.Shr(first, 2), w.Shr(column, 2)));
            offset = w.Mad(w.And(column, 3), 4, offset);
        }

        _address = w.Add(offset, shared);
    }

    /// <summary>Registers of step <paramref name="step"/> in the stage at <paramref name="stage"/>, four for each 16 rows or columns.</summary>
    public Reg[][] Load(Reg stage, int step)
    {
        var result = new Reg[_groups][];
        Reg address = _w.Add(_address, stage);
        if (_tile.AlongDepth)
        {
            Reg at = step == 0 ? address : _w.Xor(address, 32 * step);
            for (int i = 0; i < _groups; i++)
            {
                result[i] = Round(_w.LoadMatrix(4, transpose: false, at, 16 * i * _tile.Pitch));
            }

            return result;
        }

        for (int i = 0; i < _groups; i++)
        {
            if (_tile.Type != GpuType.Float32)
            {
                Reg at = i == 0 ? address : _w.Xor(address, 32 * i);
                result[i] = _w.LoadMatrix(4, transpose: true, at, 16 * step * _tile.Pitch);
                continue;
            }

            result[i] = new Reg[4];
            for (int half = 0; half < 2; half++)
            {
                Reg at = i + half == 0 ? address : _w.Xor(address, 64 * i + 32 * half);
                for (int depth = 0; depth < 2; depth++)
                {
                    Reg word = _w.LoadShared(RegKind.B32, at, (8 * step + 4 * depth) * _tile.Pitch);
                    result[i][_isA ? half + 2 * depth : 2 * half + depth] = word;
                }
            }

            result[i] = Round(result[i]);
        }

        return result;
    }

    private Reg[] Round(Reg[] values)
        => _tile.Type == GpuType.Float32 ? Array.ConvertAll(values, v => _w.RoundTensorFloat(v)) : values;
}
