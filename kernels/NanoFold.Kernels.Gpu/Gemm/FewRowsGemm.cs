using System.Runtime.CompilerServices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>
/// Products of up to eight rows with b stored [N, K], as in decoding: bound by reading b, once. A warp has a few columns; its lanes go along the depth
/// 16 bytes at a time, multiply-add in float, and add up what they have at the end.
/// </summary>
internal sealed class FewRowsGemm
{
    /// <summary>Most rows there is a kernel for.</summary>
    public const int MostRows = 8;

    private const int Warps = 8;

    private readonly PtxWriter _w;
    private readonly GemmSpec _spec;
    private readonly GemmTile _tile;
    private readonly int _elements;

    private FewRowsGemm(in GemmSpec spec, GemmTile tile)
    {
        (_spec, _tile, _elements) = (spec, tile, 16 / spec.Input.Size());

        // Eight rows are told how few blocks will do: left alone, the compiler saves registers for three of them and has no room for some addresses.
        _w = new PtxWriter("gemm_rows", 60, tile.Threads, Unsafe.SizeOf<GemmArguments>(), tile.M == MostRows ? 2 : 0);
    }

    /// <summary>Two columns a warp, four chunks of each on their way.</summary>
    public static GemmTile Tile(int rows) => new((int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)rows), 2 * Warps, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)rows), 2, 512, 4, 0);

    public static bool Fits(in GemmProblem problem, in GemmSpec spec)
        => problem.M <= MostRows && problem.Mode == GemmMode.Batch && !spec.ColumnsA && spec.ColumnsB && !spec.RaggedDepth && spec.AlignA == 16 && spec.AlignB == 16;

    public static PtxProgram Write(in GemmSpec spec, GemmTile tile) => new FewRowsGemm(spec, tile).Write();

    private PtxProgram Write()
    {
        Reg thread = _w.ThreadX(), lane = _w.And(thread, 31), warp = _w.Shr(thread, 5);
        var block = new GemmBlock(_w, _spec, _tile.M, _tile.N);
        Reg column = _w.Add(block.Column, _w.Mul(warp, _tile.WarpN));
        Reg[] sums = _w.New(RegKind.F32, _tile.M * _tile.WarpN);
        foreach (Reg sum in sums)
        {
            _w.Set(sum, 0f);
        }

        // Rows and columns past the end repeat the last; what they give is not stored.
        Reg first = _w.Mul(lane, _elements);
        Reg[] a = Addresses(block.A, block.StrideA, block.Row, block.Rows, _tile.M, first);
        Reg[] b = Addresses(block.B, block.StrideB, column, block.Columns, _tile.WarpN, first);
        Reg left = _w.New(RegKind.B32), count = _w.New(RegKind.B32);
        _w.Set(left, _w.Sub(block.DepthEnd, first));
        _w.Set(count, block.DepthEnd);
        string loop = _w.NewLabel();
        _w.Mark(loop);
        Reg[][][] chunks = [.. Enumerable.Range(0, _tile.Stages).Select(s => Array.ConvertAll(b, address => Load(address, s, left)))];
        for (int stage = 0; stage < _tile.Stages; stage++)
        {
            Reg[][] columns = Array.ConvertAll(chunks[stage], Floats);
            for (int row = 0; row < a.Length; row++)
            {
                Reg[] x = Floats(Load(a[row], stage, left));
                for (int c = 0; c < columns.Length; c++)
                {
                    Reg sum = sums[row * columns.Length + c];
                    for (int i = 0; i < x.Length; i++)
                    {
                        _w.Emit($"fma.rn.f32 {sum}, {x[i]}, {columns[c][i]}, {sum}");
                    }
                }
            }
        }

        int step = _tile.Stages * 32 * _elements;
        foreach (Reg address in (ReadOnlySpan<Reg>)[.. a, .. b])
        {
            _w.Set(address, _w.Add(address, step * _spec.Input.Size()));
        }

        _w.Set(left, _w.Sub(left, step));
        _w.Set(count, _w.Sub(count, step));
        using (_w.When(_w.Compare("gt", count, 0)))
        {
            _w.Branch(loop);
        }

        Store(block, lane, column, sums);
        return _w.Finish(0);
    }

    private Reg[] Addresses(Reg address, Reg stride, Reg first, Reg end, int count, Reg depth)
    {
        Reg begin = _w.MadWide(depth, _spec.Input.Size(), address);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            Reg own = _w.New(RegKind.B64);
            _w.Set(own, _w.MadWide(_w.Min(_w.Add(first, i), _w.Sub(end, 1)), stride, begin));
            return own;
        })];
    }

    /// <summary>16 bytes, or zeros after the depth.</summary>
    private Reg[] Load(Reg address, int stage, Reg left)
    {
        Reg[] values = _w.New(RegKind.B32, 4);
        foreach (Reg value in values)
        {
            _w.Set(value, 0);
        }

        using (_w.When(_w.Compare("gt", left, stage * 32 * _elements)))
        {
            _w.Emit($"ld.global.v4.b32 {{{PtxMemory.Join(values)}}}, [{address}+{stage * 512}]");
        }

        return values;
    }

    private Reg[] Floats(Reg[] values)
        => _spec.Input == GpuType.Float32
            ? Array.ConvertAll(values, v => _w.Reinterpret(v))
            : [.. values.SelectMany(v => { (Reg low, Reg high) = _w.Unpack(_spec.Input, v); return new[] { low, high }; })];

    /// <summary>Adds up the lanes' sums; lane i then stores the i-th.</summary>
    private void Store(GemmBlock block, Reg lane, Reg column, Reg[] sums)
    {
        Reg own = _w.Const(0f);
        for (int i = 0; i < sums.Length; i++)
        {
            Reg sum = sums[i];
            for (int mask = 16; mask > 0; mask /= 2)
            {
                sum = _w.Add(sum, _w.ShuffleXor(sum, mask));
            }

            own = _w.Select(_w.Compare("eq", lane, i), sum, own, RegKind.F32);
        }

        Reg row = _w.Add(block.Row, _w.Shr(lane, int.Log2(_tile.WarpN)));
        row = _w.Select(_w.Compare("lt", lane, sums.Length), row, block.Rows);
        var epilogue = new GemmEpilogue(_w, _spec, block);
        epilogue.Store(epilogue.At(_w.Add(column, _w.And(lane, _tile.WarpN - 1)), 1, check: true), row, [own]);
    }
}
