using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>
/// Copies one operand's tiles, step after step of the depth, from global to shared memory. Rows or columns after the matrix repeat its last ones
/// (their sums are never stored); what is after the depth is zero.
/// </summary>
internal sealed class TileCopy
{
    private readonly PtxWriter _w;
    private readonly SharedTile _tile;
    private readonly int _align;
    private readonly bool _ragged;
    private readonly int _rowsAPass;
    private readonly Reg _target;
    private readonly Reg _source;
    private readonly Reg _left;
    private readonly bool _countsForItself;
    private readonly Reg _step;
    private readonly Reg[] _offsets;
    private readonly Reg[] _pieces;
    private readonly Reg _insideBytes;

    /// <param name="w">Of the kernel.</param>
    /// <param name="tile">In shared memory.</param>
    /// <param name="align">Bytes that addresses are multiples of: 16, 4 or 2.</param>
    /// <param name="ragged">The depth may end inside a chunk.</param>
    /// <param name="thread">Of the block.</param>
    /// <param name="shared">Offset of the operand in a stage.</param>
    /// <param name="address">Of the operand, with its batch.</param>
    /// <param name="stride">Between rows as stored, in bytes.</param>
    /// <param name="first">Of the tile's rows (of a) or columns (of b).</param>
    /// <param name="end">Of all rows or columns.</param>
    /// <param name="depthBegin">Where the depth begins.</param>
    /// <param name="depthEnd">Where it ends.</param>
    /// <param name="half">
    /// Rows that are of the first half of the operand before as many of the second, over and over, which begins where the first ends: a warp has pairs of both. 0: rows as they are.
    /// </param>
    /// <param name="before">The copies of the other operand, which advance before these: where a thread is at the same place of the depth in both, it is counted once.</param>
    public TileCopy(
        PtxWriter w, SharedTile tile, int align, bool ragged, Reg thread, Reg shared, Reg address, Reg stride, Reg first, Reg end, Reg depthBegin, Reg depthEnd, TileCopy? before = null,
        int half = 0)
    {
        (_w, _tile, _align, _ragged) = (w, tile, align, ragged && tile.AlongDepth);
        int chunks = tile.Pitch / 16, size = tile.Type.Size();
        _rowsAPass = w.Threads / chunks;
        Passes = tile.Rows / _rowsAPass;
        if (_rowsAPass * chunks != w.Threads || Passes * _rowsAPass != tile.Rows || _rowsAPass % (tile.Type == GpuType.Float32 && !tile.AlongDepth ? 4 : 8) != 0)
        {
            throw new ArgumentException($"gemm: {tile} does not fit {w.Threads} threads");
        }

        Reg row = w.Shr(thread, int.Log2(chunks)), chunk = w.And(thread, chunks - 1);
        _target = w.Add(tile.Offset(w, row, chunk), shared);
        _source = w.New(RegKind.B64);
        _countsForItself = before is null || before._tile.AlongDepth != tile.AlongDepth || before._tile.Pitch != tile.Pitch;
        _left = _countsForItself ? w.New(RegKind.B32) : before!._left;
        _pieces = [];
        if (tile.AlongDepth)
        {
            Reg depth = w.Mad(chunk, tile.ChunkElements, depthBegin);
            _offsets = new Reg[Passes];
            for (int i = 0; i < Passes; i++)
            {
                Reg last = w.Sub(w.Sub(end, 1), first), own = w.Add(row, i * _rowsAPass);
                _offsets[i] = half == 0 ? w.Mul(w.Min(own, last), stride) : w.Mul(PairRow(w, own, last, end, half), stride);
            }

            w.Set(_source, w.MadWide(depth, size, w.MadWide(first, stride, address)));
            Count(w.Sub(depthEnd, depth));
            _step = w.Op(RegKind.B64, "mov.b64", tile.DepthBytes);
            return;
        }

        // Chunks past the end are those of the last one; where copies are smaller than chunks, each piece looks for itself.
        Reg column = w.Mad(chunk, tile.ChunkElements, first);
        Reg firstDepth = w.Add(depthBegin, row);
        _offsets = [w.Mul(stride, _rowsAPass)];
        Reg source = w.MadWide(firstDepth, stride, address);
        if (align == 16)
        {
            Reg lastChunk = w.And(w.Sub(end, 1), -tile.ChunkElements);
            source = w.MadWide(w.Min(column, lastChunk), size, source);
        }
        else
        {
            _insideBytes = w.Min(w.Mul(w.Sub(end, column), size), 16);
            if (align > 2)
            {
                int elements = align / size;
                _pieces = new Reg[tile.ChunkElements / elements];
                for (int i = 0; i < _pieces.Length; i++)
                {
                    _pieces[i] = w.Compare("lt", w.Add(column, i * elements), end);
                }
            }

            source = w.MadWide(column, size, source);
        }

        w.Set(_source, source);
        Count(w.Sub(depthEnd, firstDepth));
        _step = w.MulWide(stride, tile.Depth);
    }

    /// <summary>The row, from the tile's first one on, that comes at a place of a tile of pairs.</summary>
    private static Reg PairRow(PtxWriter w, Reg place, Reg last, Reg end, int half)
    {
        Reg pair = w.Mad(w.Shr(place, int.Log2(2 * half)), half, w.And(place, half - 1)), isSecond = w.And(w.Shr(place, int.Log2(half)), 1);
        return w.Mad(isSecond, end, w.Min(pair, last));
    }

    /// <summary>Copies a thread issues for one tile.</summary>
    public int Passes { get; }

    /// <summary>Begins the copies <paramref name="from"/> to <paramref name="to"/> of the current step into the stage at <paramref name="stage"/>.</summary>
    public void Copy(Reg stage, int from, int to)
    {
        if (from >= to)
        {
            return;
        }

        Reg target = _w.Add(_target, stage);
        for (int i = from; i < to; i++)
        {
            int offset = i * _rowsAPass * _tile.Pitch;
            if (_tile.AlongDepth)
            {
                Chunk(target, offset, _w.Add(_source, _w.Widen(_offsets[i])), 0);
            }
            else
            {
                Reg source = i == 0 ? _source : _w.MadWide(_offsets[0], i, _source);
                Chunk(target, offset, source, i * _rowsAPass);
            }
        }
    }

    /// <summary>To the next step of the depth.</summary>
    public void Advance()
    {
        _w.Set(_source, _w.Add(_source, _step));
        Count(_w.Sub(_left, _tile.Depth));
    }

    private void Count(Reg left)
    {
        if (_countsForItself)
        {
            _w.Set(_left, left);
        }
    }

    /// <summary>A chunk that is so many steps of the depth after the thread's first one.</summary>
    private void Chunk(Reg target, int offset, Reg source, int depth)
    {
        int size = _tile.Type.Size();
        if (_align == 16)
        {
            Reg bytes = _ragged
                ? _w.Max(_w.Min(_w.Mul(_left, size), 16), 0)
                : _w.Select(_w.Compare("gt", _left, depth), 16, 0);
            _w.CopyAsync(target, offset, source, 0, 16, bytes);
        }
        else if (_align == 4)
        {
            for (int i = 0; i < 4; i++)
            {
                _w.CopyAsync(target, offset + 4 * i, source, 4 * i, 4, PieceBytes(depth, i));
            }
        }
        else
        {
            CopyWords(target, offset, source, depth);
        }
    }

    private Reg PieceBytes(int depth, int piece)
    {
        if (!_tile.AlongDepth)
        {
            Reg inside = _w.Both(_w.Compare("gt", _left, depth), _pieces[piece]);
            // A pair of 16-bit elements of which one is past the end is read whole: it is within the same aligned word.
            return _w.Select(inside, 4, 0);
        }

        if (_tile.Type == GpuType.Float32)
        {
            return _w.Select(_w.Compare("gt", _left, piece), 4, 0);
        }

        return _w.Max(_w.Min(_w.Mul(_w.Sub(_left, 2 * piece), 2), 4), 0);
    }

    /// <summary>
    /// Rows of an odd number of 16-bit elements cannot be copied in the background: their chunks go through registers, as the five words of 4 bytes that hold them, which are
    /// shifted where a row begins in the middle of one. A word is read where an element of the matrix is in it.
    /// </summary>
    private void CopyWords(Reg target, int offset, Reg source, int depth)
    {
        Reg odd = _w.And(_w.Op(RegKind.B32, "cvt.u32.u64", source), 2), aligned = _w.And(source, -4), bits = _w.Shl(odd, 3);
        Reg bytes = _tile.AlongDepth
            ? _w.Add(odd, _w.Min(_w.Mul(_left, 2), 16))
            : _w.Select(_w.Compare("gt", _left, depth), _w.Add(odd, _insideBytes), 0);
        Reg[] words = _w.New(RegKind.B32, 5), pairs = new Reg[4];
        for (int i = 0; i < words.Length; i++)
        {
            _w.Set(words[i], 0);
            using (_w.When(_w.Compare("gt", bytes, 4 * i)))
            {
                _w.Emit($"ld.global.b32 {words[i]}, [{aligned}+{4 * i}]");
            }
        }

        for (int i = 0; i < pairs.Length; i++)
        {
            pairs[i] = _w.Op(RegKind.B32, "shf.r.wrap.b32", words[i], words[i + 1], bits);
        }

        _w.StoreShared(target, offset, pairs);
        if (!_tile.AlongDepth)
        {
            return;
        }

        // What shares a word with the last element of the depth is no element of it.
        Reg last = _w.Mad(_left, 2, target), zero = _w.Op(RegKind.B16, "mov.b16", 0);
        using (_w.When(_w.Op(RegKind.Predicate, "setp.lt.u32", _left, 8)))
        {
            _w.StoreShared(last, offset, zero);
        }
    }
}

/// <summary>
/// An operand's tile in shared memory, in rows of <see cref="Pitch"/> bytes as it is stored in global memory: along the depth, or along the tile's own rows or columns.
/// The 16-byte chunks of a row are permuted by an exclusive or with the row's number, so that neither the copies nor the loads of fragments meet in a bank.
/// </summary>
internal readonly record struct SharedTile(GpuType Type, bool AlongDepth, int Extent, int DepthBytes)
{
    /// <summary>Elements of a chunk of 16 bytes.</summary>
    public int ChunkElements => 16 / Type.Size();

    /// <summary>Steps of the depth in the tile.</summary>
    public int Depth => DepthBytes / Type.Size();

    public int Rows => AlongDepth ? Extent : Depth;

    public int Pitch => AlongDepth ? DepthBytes : Extent * Type.Size();

    public int Bytes => Extent * DepthBytes;

    /// <summary>What a row's chunks are permuted by.</summary>
    public Reg Permutation(PtxWriter w, Reg row)
        => !AlongDepth && Type == GpuType.Float32 ? w.Shl(w.And(row, 3), 1)
            : Pitch == 64 ? w.And(w.Shr(row, 1), 3)
            : w.And(row, 7);

    /// <summary>Byte offset of a chunk in the tile.</summary>
    public Reg Offset(PtxWriter w, Reg row, Reg chunk)
        => w.Mad(row, Pitch, w.Shl(w.Xor(chunk, Permutation(w, row)), 4));
}
