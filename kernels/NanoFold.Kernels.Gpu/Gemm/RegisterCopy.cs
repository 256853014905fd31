using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>
/// Brings one operand's tiles to shared memory through registers, so that they are floats [depth, extent] there whatever they were: in chunks of four elements,
/// which are written as one where they lie along the tile's rows or columns, and one by one where they lie along the depth. A row has four floats more than
/// needed, by which sixteen rows or columns of two neighboring chunks meet no bank twice.
/// </summary>
internal sealed class RegisterCopy
{
    private readonly PtxWriter _w;
    private readonly GpuType _type;
    private readonly bool _alongDepth;
    private readonly bool _isAligned;
    private readonly bool _ragged;
    private readonly int _extent;
    private readonly int _depth;
    private readonly int _rowsAPass;
    private readonly Reg _target;
    private readonly Reg _source;
    private readonly Reg _left;
    private readonly Reg _step;
    private readonly Reg[] _offsets;
    private readonly Reg[] _inside;
    private readonly Reg[][] _values;

    public RegisterCopy(
        PtxWriter w, GpuType type, bool alongDepth, int align, bool ragged, int extent, int depth, Reg thread, Reg shared, Reg address, Reg stride, Reg first, Reg end, Reg depthBegin, Reg depthEnd)
    {
        (_w, _type, _alongDepth, _isAligned, _ragged, _extent, _depth) = (w, type, alongDepth, align == 16, ragged, extent, depth);
        int size = type.Size();
        _values = new Reg[extent * depth / 4 / w.Threads][];
        _source = w.New(RegKind.B64);
        _left = w.New(RegKind.B32);
        _inside = [];
        if (alongDepth)
        {
            // Two chunks of sixteen rows a half warp: whole sectors of 32 bytes, and no bank twice.
            Reg chunk = w.And(thread, 1), row = w.Shr(thread, 1);
            _rowsAPass = Math.Min(w.Threads / 2, extent);
            _target = w.Mad(row, 4, w.Mad(chunk, 4 * Pitch(extent), shared));
            _offsets = new Reg[extent / _rowsAPass];
            for (int i = 0; i < _offsets.Length; i++)
            {
                _offsets[i] = w.Mul(w.Min(w.Add(row, i * _rowsAPass), w.Sub(w.Sub(end, 1), first)), stride);
            }

            Reg begin = w.Mad(chunk, 4, depthBegin);
            w.Set(_source, w.MadWide(begin, size, w.MadWide(first, stride, address)));
            w.Set(_left, w.Sub(depthEnd, begin));
            _step = w.Op(RegKind.B64, "mov.b64", depth * size);
            return;
        }

        int chunks = extent / 4;
        _rowsAPass = w.Threads / chunks;
        Reg depthRow = w.Shr(thread, int.Log2(chunks)), column = w.Shl(w.And(thread, chunks - 1), 2);
        _target = w.Mad(depthRow, Pitch(extent), w.Mad(column, 4, shared));
        Reg from = w.Add(column, first), firstDepth = w.Add(depthBegin, depthRow);
        if (_isAligned)
        {
            from = w.Min(from, w.And(w.Sub(end, 1), -4));
        }
        else
        {
            _inside = new Reg[4];
            for (int i = 0; i < 4; i++)
            {
                _inside[i] = w.Compare("lt", w.Add(from, i), end);
            }
        }

        _offsets = [w.Mul(stride, _rowsAPass)];
        w.Set(_source, w.MadWide(from, size, w.MadWide(firstDepth, stride, address)));
        w.Set(_left, w.Sub(depthEnd, firstDepth));
        _step = w.MulWide(stride, depth);
    }

    /// <summary>Bytes between steps of the depth in shared memory.</summary>
    public static int Pitch(int extent) => 4 * (extent + 4);

    /// <summary>Begins to load the current step's elements into registers, and goes on to the next step.</summary>
    public void Load()
    {
        for (int i = 0; i < _values.Length; i++)
        {
            if (_alongDepth)
            {
                int chunk = 8 * (i / _offsets.Length);
                Reg source = _w.Add(_source, _w.Widen(_offsets[i % _offsets.Length]));
                _values[i] = Chunk(source, chunk * _type.Size(), chunk == 0 ? _left : _w.Sub(_left, chunk));
            }
            else
            {
                _values[i] = Chunk(i == 0 ? _source : _w.MadWide(_offsets[0], i, _source), 0, i == 0 ? _left : _w.Sub(_left, i * _rowsAPass));
            }
        }

        _w.Set(_source, _w.Add(_source, _step));
        _w.Set(_left, _w.Sub(_left, _depth));
    }

    /// <summary>Writes what was loaded into the buffer at <paramref name="buffer"/>.</summary>
    public void Store(Reg buffer)
    {
        Reg target = _w.Add(_target, buffer);
        int pitch = Pitch(_extent);
        for (int i = 0; i < _values.Length; i++)
        {
            Reg[] floats = Floats(_values[i]);
            if (!_alongDepth)
            {
                _w.StoreShared(target, i * _rowsAPass * pitch, floats);
                continue;
            }

            int offset = 8 * (i / _offsets.Length) * pitch + 4 * _rowsAPass * (i % _offsets.Length);
            for (int j = 0; j < 4; j++)
            {
                _w.StoreShared(target, offset + j * pitch, floats[j]);
            }
        }
    }

    private Reg[] Floats(Reg[] values)
    {
        if (_type == GpuType.Float32)
        {
            return values;
        }

        if (values[0].Kind == RegKind.B16)
        {
            return Array.ConvertAll(values, v => _w.Widen(_type, v));
        }

        (Reg a, Reg b) = _w.Unpack(_type, values[0]);
        (Reg c, Reg d) = _w.Unpack(_type, values[1]);
        return [a, b, c, d];
    }

    private Reg[] Chunk(Reg source, int offset, Reg left)
    {
        bool mayEndInside = _alongDepth && _ragged;
        if (!_isAligned || (mayEndInside && _type != GpuType.Float32))
        {
            return Elements(source, offset, left, null);
        }

        RegKind kind = _type == GpuType.Float32 ? RegKind.F32 : RegKind.B32;
        Reg[] values = Zeros(kind, _type == GpuType.Float32 ? 4 : 2);
        Reg whole = _w.Compare("gt", left, mayEndInside ? 3 : 0);
        using (_w.When(whole))
        {
            _w.Emit($"ld.global.v{values.Length}.{(kind == RegKind.F32 ? "f32" : "b32")} {{{PtxMemory.Join(values)}}}, [{source}+{offset}]");
        }

        return mayEndInside ? Elements(source, offset, left, values) : values;
    }

    /// <summary>Element by element; into what a whole chunk would have filled, where there is one.</summary>
    private Reg[] Elements(Reg source, int offset, Reg left, Reg[]? unlessWhole)
    {
        bool isFloat = _type == GpuType.Float32;
        Reg[] values = unlessWhole ?? Zeros(isFloat ? RegKind.F32 : RegKind.B16, 4);
        Reg? part = unlessWhole is null ? null : _w.Compare("lt", left, 4);
        for (int i = 0; i < (unlessWhole is null ? 4 : 3); i++)
        {
            Reg exists = _w.Compare("gt", left, _alongDepth ? i : 0);
            exists = _inside.Length > 0 ? _w.Both(exists, _inside[i]) : part is { } p ? _w.Both(exists, p) : exists;
            using (_w.When(exists))
            {
                _w.Emit($"ld.global.{(isFloat ? "f32" : "b16")} {values[i]}, [{source}+{offset + i * _type.Size()}]");
            }
        }

        return values;
    }

    private Reg[] Zeros(RegKind kind, int count)
    {
        Reg[] values = _w.New(kind, count);
        foreach (Reg value in values)
        {
            _w.Set(value, kind == RegKind.F32 ? (Operand)0f : 0);
        }

        return values;
    }
}
