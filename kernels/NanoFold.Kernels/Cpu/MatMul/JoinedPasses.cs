using System.Numerics;
using System.Runtime.InteropServices;
using NanoFold.Kernels.Cpu.MatMul.Tiles;
using NanoFold.Kernels.Cpu.Pool;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>
/// Spans of products of which none needs another, in one run of the pool: packing b and the tiles. Whoever comes to a tile first packs what nobody has begun to pack, then waits for
/// what others still do; so there is no run for packing, and the tiles of all products are shared at once.
/// </summary>
internal unsafe struct JoinedPasses<TKernel, TOperands, O, V, T> : IWork
    where TKernel : struct, IMicroKernel
    where TOperands : struct, IOperands<T>
    where O : struct, IVectorOps<V>
    where V : struct
    where T : unmanaged, INumberBase<T>
{
    private readonly CpuContext _context;
    private readonly BlockedPass<TKernel, TOperands, O, V, T>* _passes;
    private readonly PackingLine* _packing;
    private readonly int _count;
    private readonly long _packItems;
    private readonly long _scratchBytes;

    private JoinedPasses(CpuContext context, BlockedPass<TKernel, TOperands, O, V, T>* passes, int count, PackingLine* packing, long scratchBytes)
    {
        _context = context;
        _passes = passes;
        _count = count;
        _packing = packing;
        _scratchBytes = scratchBytes;
        for (int i = 0; i < count; i++)
        {
            _packItems += passes[i].PackItems;
        }
    }

    /// <summary>Computes all of them; none is symmetric, of few rows or rounded.</summary>
    public static void Run(CpuContext context, ReadOnlySpan<Product> products)
    {
        var passes = stackalloc BlockedPass<TKernel, TOperands, O, V, T>[products.Length];
        long scratchBytes = 0, packedBytes = 0;
        for (int i = 0; i < products.Length; i++)
        {
            passes[i] = new(products[i]);
            scratchBytes = Math.Max(scratchBytes, passes[i].ScratchBytes);
            packedBytes += passes[i].PackedBytes;
        }

        byte* scratch = (byte*)context.Scratch(0, scratchBytes + sizeof(PackingLine) + packedBytes);
        var packing = (PackingLine*)(scratch + scratchBytes);
        byte* packed = (byte*)(packing + 1);
        for (int i = 0; i < products.Length; i++)
        {
            passes[i].Start(packed);
            packed += passes[i].PackedBytes;
        }

        for (int left = products.Length; left > 0;)
        {
            new JoinedPasses<TKernel, TOperands, O, V, T>(context, passes, left, packing, scratchBytes).Run();
            int more = 0;
            for (int i = 0; i < left; i++)
            {
                if (passes[i].Next())
                {
                    passes[more++] = passes[i];
                }
            }

            left = more;
        }
    }

    public readonly void Invoke(long item, int worker)
    {
        if (Volatile.Read(ref _packing->Packed) < _packItems)
        {
            PackWhatIsLeft();
        }

        int pass = 0;
        for (; item >= _passes[pass].TileItems; pass++)
        {
            item -= _passes[pass].TileItems;
        }

        _passes[pass].Multiply(item, (byte*)_context.Scratch(worker, _scratchBytes));
    }

    private void Run()
    {
        *_packing = default;
        if (_context.Workers.Count == 1)
        {
            // To be timed apart from the tiles.
            var pack = new PackWork { Joined = this };
            _context.Workers.RunFirst(_packItems, ref pack);
            _packing->Packed = _packItems;
        }

        long tiles = 0;
        for (int i = 0; i < _count; i++)
        {
            tiles += _passes[i].TileItems;
        }

        _context.Workers.Run(tiles, ref this);
    }

    private readonly void PackWhatIsLeft()
    {
        while (Interlocked.Increment(ref _packing->Begun) is var item && item <= _packItems)
        {
            Pack(item - 1);
            Interlocked.Increment(ref _packing->Packed);
        }

        // Who packs is at work now, and soon done unless its core was taken from it.
        var wait = new Wait();
        while (Volatile.Read(ref _packing->Packed) < _packItems)
        {
            if (!wait.Again())
            {
                Thread.Yield();
            }
        }
    }

    private readonly void Pack(long item)
    {
        int pass = 0;
        for (; item >= _passes[pass].PackItems; pass++)
        {
            item -= _passes[pass].PackItems;
        }

        _passes[pass].Pack(item);
    }

    private struct PackWork : IWork
    {
        public JoinedPasses<TKernel, TOperands, O, V, T> Joined;

        public readonly void Invoke(long item, int worker) => Joined.Pack(item);
    }
}

/// <summary>How far packing is: items begun, and done; on cache lines of their own.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct PackingLine
{
    [FieldOffset(0)]
    public long Begun;

    [FieldOffset(128)]
    public long Packed;
}
