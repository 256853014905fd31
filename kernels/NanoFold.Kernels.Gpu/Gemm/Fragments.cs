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
    private readonly Reg[] _addresses = [];
    private readonly int _displacement;

    /// <param name="w">Of the kernel.</param>
    /// <param name="tile">In shared memory.</param>
    /// <param name="isA">Of a (else of b).</param>
    /// <param name="lane">Of the warp.</param>
    /// <param name="first">Row or column of the tile where the warp's begin.</param>
    /// <param name="extent">The warp's rows or columns, a power of two from 16.</param>
    /// <param name="shared">Address of the operand in the first stage.</param>
    /// <param name="keepsAddresses">Addresses that differ by an exclusive or are kept in registers: a few more of these, fewer instructions a step.</param>
    public Fragments(PtxWriter w, SharedTile tile, bool isA, Reg lane, Reg first, int extent, Reg shared, bool keepsAddresses = false)
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
        if (keepsAddresses && (tile.AlongDepth || tile.Type != GpuType.Float32))
        {
            // Stages lie multiples of 256 bytes apart, which the exclusive or does not touch.
            _addresses = [.. Enumerable.Range(0, tile.AlongDepth ? tile.DepthBytes / 32 : _groups).Select(i => Differing(_address, i))];
        }
    }

    private Fragments(Fragments other, int bytes)
    {
        (_w, _tile, _isA, _groups, _address, _addresses) = (other._w, other._tile, other._isA, other._groups, other._address, other._addresses);
        _displacement = other._displacement + bytes;
    }

    /// <summary>Fragments of a tile of the same kind so many bytes further on, a multiple of 256: they share addresses in registers with these.</summary>
    public Fragments Further(int bytes) => new(this, bytes);

    /// <summary>Registers of step <paramref name="step"/> in the stage at <paramref name="stage"/>, four for each 16 rows or columns.</summary>
    public Reg[][] Load(Reg stage, int step)
    {
        var result = new Reg[_groups][];
        Reg address = _w.Add(_address, stage);
        if (_tile.AlongDepth)
        {
            Reg at = At(address, stage, step);
            for (int i = 0; i < _groups; i++)
            {
                result[i] = Round(_w.LoadMatrix(4, transpose: false, at, (16 * i * _tile.Pitch) + _displacement));
            }

            return result;
        }

        for (int i = 0; i < _groups; i++)
        {
            if (_tile.Type != GpuType.Float32)
            {
                Reg at = At(address, stage, i);
                result[i] = _w.LoadMatrix(4, transpose: true, at, (16 * step * _tile.Pitch) + _displacement);
                continue;
            }

            result[i] = new Reg[4];
            for (int half = 0; half < 2; half++)
            {
                Reg at = i + half == 0 ? address : _w.Xor(address, 64 * i + 32 * half);
                for (int depth = 0; depth < 2; depth++)
                {
                    Reg word = _w.LoadShared(RegKind.B32, at, ((8 * step + 4 * depth) * _tile.Pitch) + _displacement);
                    result[i][_isA ? half + 2 * depth : 2 * half + depth] = word;
                }
            }

            result[i] = Round(result[i]);
        }

        return result;
    }

    private Reg At(Reg address, Reg stage, int index) => _addresses.Length > 0 ? _w.Add(_addresses[index], stage) : Differing(address, index);

    private Reg Differing(Reg address, int index) => index == 0 ? address : _w.Xor(address, 32 * index);

    private Reg[] Round(Reg[] values)
        => _tile.Type == GpuType.Float32 ? Array.ConvertAll(values, v => _w.RoundTensorFloat(v)) : values;
}
