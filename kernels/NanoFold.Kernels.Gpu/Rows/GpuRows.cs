using System.Numerics;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>Rows by id and their gradient, the largest of rows, dropout. Ids lie on the device and are not checked: those out of range are of no row.</summary>
internal sealed class GpuRows(GpuContext context)
{
    /// <summary>Rows this short, with as few wanted, are left to one thread each.</summary>
    private const int ShortRow = 128;
    private const int FewWanted = 8;

    private readonly GpuScatter _scatter = new(context);

    public void Gather(in View table, in View ids, in View y, bool accumulate)
    {
        switch (y.Type)
        {
            case DType.BFloat16:
                Gather<BF16>(table, ids, y, accumulate);
                break;
            case DType.Float16:
                Gather<F16>(table, ids, y, accumulate);
                break;
            default:
                GpuChecks.NotDouble("gather", y);
                Gather<F32>(table, ids, y, accumulate);
                break;
        }
    }

    public void ScatterAdd(in View x, in View ids, in View table) => _scatter.Run(x, ids, table);

    public void TopK(in View x, in View values, in View indices)
    {
        switch (x.Type)
        {
            case DType.BFloat16:
                TopK<BF16>(x, values, indices);
                break;
            case DType.Float16:
                TopK<F16>(x, values, indices);
                break;
            default:
                GpuChecks.NotDouble("top-k", x);
                TopK<F32>(x, values, indices);
                break;
        }
    }

    public void Dropout(in View x, in View y, double rate, int node, bool accumulate)
    {
        var draw = new DropoutDraw { State = context.StateView, Node = node, Threshold = DropoutRandom.Threshold(rate), Factor = (float)(1 / (1 - rate)) };
        switch (y.Type)
        {
            case DType.BFloat16:
                Dropout<BF16>(x, y, draw, accumulate);
                break;
            case DType.Float16:
                Dropout<F16>(x, y, draw, accumulate);
                break;
            default:
                GpuChecks.NotDouble("dropout", y);
                Dropout<F32>(x, y, draw, accumulate);
                break;
        }
    }

    private void Gather<T>(in View table, in View ids, in View y, bool accumulate)
        where T : unmanaged, IElement<T>
    {
        Shape rows = RowShape.Of(y, y);
        int width = y.Layout[-1], add = accumulate ? 1 : 0;
        if (Vectors.HasFlatRows(table) && Vectors.HasFlatRows(y))
        {
            context.Launch(
                new FourGatherWork<T>
                {
                    Table = Vectors.Of<T>(context, table), Y = Vectors.Of<T>(context, y), Ids = context.View<int>(ids), Rows = rows,
                    TableRow = table.Layout.Stride(0) / 4, TableRows = table.Layout[0], Width = width / 4, Accumulate = add,
                },
                Groups(rows.Count * (long)(width / 4)), context.GroupSize);
            return;
        }

        context.Launch(
            new GatherWork<T>
            {
                Table = context.View<T>(table), Y = context.View<T>(y), Ids = context.View<int>(ids), Rows = rows, TableRow = table.Layout.Stride(0),
                TableColumn = table.Layout.Stride(1), YColumn = y.Layout.Stride(-1), TableRows = table.Layout[0], Width = width, Accumulate = add,
            },
            Groups(rows.Count * (long)width), context.GroupSize);
    }

    private void TopK<T>(in View x, in View values, in View indices)
        where T : unmanaged, IElement<T>
    {
        var rows = new TopKRows<T>
        {
            X = context.View<T>(x), Values = context.View<T>(values), Indices = context.View<int>(indices), XRow = x.Layout.Stride(0), XColumn = x.Layout.Stride(1),
            ValueRow = values.Layout.Stride(0), ValueColumn = values.Layout.Stride(1), IndexRow = indices.Layout.Stride(0), IndexColumn = indices.Layout.Stride(1),
            Count = x.Layout[0], Width = x.Layout[1], K = values.Layout[1],
        };
        if (rows.K > TopKSortWork<T>.MostKept || (rows.Width <= ShortRow && rows.K <= FewWanted))
        {
            context.Launch(new TopKScanWork<T> { Rows = rows }, Groups(rows.Count), context.GroupSize);
            return;
        }

        int threads = Math.Min(context.GroupSize, Math.Max(32, (int)BitOperations.RoundUpToPowerOf2((uint)rows.Width) / 2));
        context.Launch(new TopKSortWork<T> { Rows = rows }, rows.Count, threads);
    }

    private void Dropout<T>(in View x, in View y, in DropoutDraw draw, bool accumulate)
        where T : unmanaged, IElement<T>
    {
        if (Vectors.IsFlat(x, y) && Vectors.IsFlat(y, y))
        {
            int fours = checked((int)(y.Count / 4));
            context.Launch(
                new FourDropoutWork<T> { X = Vectors.Of<T>(context, x), Y = Vectors.Of<T>(context, y), Fours = fours, Draw = draw, Accumulate = accumulate ? 1 : 0 },
                Groups(fours), context.GroupSize);
            return;
        }

        context.Launch(
            new DropoutWork<T> { X = context.View<T>(x), Y = context.View<T>(y), Shape = Shape.Of(y.Layout, x.Layout), Draw = draw, Accumulate = accumulate ? 1 : 0 },
            Groups((y.Count + 3) / 4), context.GroupSize);
    }

    private long Groups(long threads) => (threads + context.GroupSize - 1) / context.GroupSize;
}
