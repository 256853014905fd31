using System.Numerics;
using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;
using NanoFold.Kernels.Gpu.OpenCl.Processor;
using NanoFold.Kernels.Gpu.Sorting;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>table[ids[i], :] += x[i, :] on a GPU: in one launch where looking all ids through for each is quick, else with the ids sorted.</summary>
internal sealed class GpuScatter(GpuContext context) : IDisposable
{
    /// <summary>Ids that are read at most, by all groups together, to find equal ones without sorting.</summary>
    private const long MostReads = 1L << 28;

    private readonly StableSort _sort = new(context);
    private readonly VectorScatter? _vectors = context.IsProcessor ? new VectorScatter(context) : null;

    public void Run(in View x, in View ids, in View table)
    {
        if (_vectors?.TryRun(x, ids, table) != true)
        {
            ByElement.Run("scatter-add", x, table, new Body(this, x, ids, table));
        }
    }

    public void Dispose() => _vectors?.Dispose();

    private void Run<T, TTable>(in View x, in View ids, in View table)
        where T : unmanaged, IElement<T>
        where TTable : unmanaged, IElement<TTable>
    {
        int width = x.Layout[-1], pieces = AlignedPiece.Count(width);
        int most = Math.Min(ScatterListWork<T, TTable, RaggedPiece>.MostLanes, context.GroupSize);
        int lanes = Math.Min((int)BitOperations.RoundUpToPowerOf2((uint)pieces), most), blocks = (pieces + lanes - 1) / lanes;
        bool hasRows = width == 1 || (x.Layout.Stride(-1) == 1 && table.Layout.Stride(1) == 1);
        if (!hasRows || Math.Min(ids.Count, table.Layout[0]) * ids.Count * blocks > MostReads)
        {
            Sorted<T, TTable>(x, ids, table);
        }
        else if (width % 4 == 0 && AlignedPiece.IsAligned(x) && AlignedPiece.IsAligned(table))
        {
            Listed<T, TTable, AlignedPiece>(x, ids, table, lanes, blocks);
        }
        else
        {
            Listed<T, TTable, RaggedPiece>(x, ids, table, lanes, blocks);
        }
    }

    private void Listed<T, TTable, TPiece>(in View x, in View ids, in View table, int lanes, int blocks)
        where T : unmanaged, IElement<T>
        where TTable : unmanaged, IElement<TTable>
        where TPiece : struct, IPiece
    {
        Nest rows = RowNest.Of(x, x);
        bool isByTable = table.Layout[0] <= rows.Count;
        context.Launch(
            new ScatterListWork<T, TTable, TPiece>
            {
                X = context.View<T>(x), Table = context.View<TTable>(table), Ids = context.View<int>(ids), Rows = rows, TableRow = table.Layout.Stride(0),
                TableRows = table.Layout[0], Width = x.Layout[-1], LaneBits = BitOperations.Log2((uint)lanes), IsByTable = isByTable ? 1 : 0,
            },
            isByTable ? table.Layout[0] : rows.Count, blocks, 1, context.GroupSize);
    }

    private void Sorted<T, TTable>(in View x, in View ids, in View table)
        where T : unmanaged, IElement<T>
        where TTable : unmanaged, IElement<TTable>
    {
        Nest rows = RowNest.Of(x, x);
        int width = x.Layout[-1], count = rows.Count, limit = table.Layout[0];
        int chunks = (count + ScatterRows<T, TTable>.Chunk - 1) / ScatterRows<T, TTable>.Chunk;
        long integers = (_sort.ScratchLength(count, limit) + 63) / 64 * 64, partials = 2L * chunks * width;
        ArrayView<byte> scratch = context.Scratch((integers + partials) * sizeof(int));
        (ArrayView<int> sorted, ArrayView<int> order) = _sort.Sort(context.View<int>(ids), count, limit, scratch.SubView(0, integers * sizeof(int)).Cast<int>());
        var scatter = new ScatterRows<T, TTable>
        {
            X = context.View<T>(x), Table = context.View<TTable>(table), Ids = sorted, Order = order, Rows = rows,
            Partial = scratch.SubView(integers * sizeof(int), partials * sizeof(float)).Cast<float>(),
            XColumn = x.Layout.Stride(-1), TableRow = table.Layout.Stride(0), TableColumn = table.Layout.Stride(1), TableRows = limit, Width = width,
        };
        int blocks = context.Groups(width);
        context.Launch(new ScatterChunkWork<T, TTable> { Rows = scatter }, chunks, blocks, 1, context.GroupSize);
        if (chunks > 1)
        {
            context.Launch(new ScatterRunWork<T, TTable> { Rows = scatter }, chunks, blocks, 1, context.GroupSize);
        }
    }

    private readonly struct Body(GpuScatter scatter, View x, View ids, View table) : IElementPairBody
    {
        public void Run<T, TTable>()
            where T : unmanaged, IElement<T>
            where TTable : unmanaged, IElement<TTable>
            => scatter.Run<T, TTable>(x, ids, table);
    }
}
