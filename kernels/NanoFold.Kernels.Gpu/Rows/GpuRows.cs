using System.Numerics;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>Rows by id and their gradient, the largest of rows, dropout. Ids lie on the device and are not checked: those out of range are of no row.</summary>
internal sealed class GpuRows(GpuContext context) : IDisposable
{
    private readonly GpuScatter _scatter = new(context);

    public void Gather(in View table, in View ids, in View y, bool accumulate) => ByElement.Run("gather", y, new Gathering(context, table, ids, y, accumulate));

    public void ScatterAdd(in View x, in View ids, in View table) => _scatter.Run(x, ids, table);

    public void TopK(in View x, in View values, in View indices) => ByElement.Run("top-k", x, new Largest(context, x, values, indices));

    public void Dropout(StepState state, in View x, in View y, double rate, int stream, bool accumulate)
    {
        var draw = new DropoutDraw { State = context.Slots(state), Stream = stream, Threshold = DropoutRandom.Threshold(rate), Factor = (float)(1 / (1 - rate)) };
        ByElement.Run("dropout", y, new Dropping(context, x, y, draw, accumulate));
    }

    public void Dispose() => _scatter.Dispose();

    private readonly struct Gathering(GpuContext context, View table, View ids, View y, bool accumulate) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            Nest rows = RowNest.Of(y, y);
            int width = y.Layout[-1], add = accumulate ? 1 : 0;
            if (Vectors.HasFlatRows(table) && Vectors.HasFlatRows(y))
            {
                context.LaunchThreads(
                    new FourGatherWork<T>
                    {
                        Table = Vectors.Of<T>(context, table), Y = Vectors.Of<T>(context, y), Ids = context.View<int>(ids), Rows = rows,
                        TableRow = table.Layout.Stride(0) / 4, TableRows = table.Layout[0], Width = width / 4, Accumulate = add,
                    },
                    rows.Count * (long)(width / 4));
                return;
            }

            context.LaunchThreads(
                new GatherWork<T>
                {
                    Table = context.View<T>(table), Y = context.View<T>(y), Ids = context.View<int>(ids), Rows = rows, TableRow = table.Layout.Stride(0),
                    TableColumn = table.Layout.Stride(1), YColumn = y.Layout.Stride(-1), TableRows = table.Layout[0], Width = width, Accumulate = add,
                },
                rows.Count * (long)width);
        }
    }

    private readonly struct Largest(GpuContext context, View x, View values, View indices) : IElementBody
    {
        /// <summary>Rows this short, with as few wanted, are left to one thread each.</summary>
        private const int ShortRow = 128;
        private const int FewWanted = 8;

        public void Run<T>()
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
                context.LaunchThreads(new TopKScanWork<T> { Rows = rows }, rows.Count);
                return;
            }

            int threads = Math.Min(context.GroupSize, Math.Max(32, (int)BitOperations.RoundUpToPowerOf2((uint)rows.Width) / 2));
            context.Launch(new TopKSortWork<T> { Rows = rows }, rows.Count, threads);
        }
    }

    private readonly struct Dropping(GpuContext context, View x, View y, DropoutDraw draw, bool accumulate) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            int add = accumulate ? 1 : 0;
            if (Vectors.IsFlat(x, y) && Vectors.IsFlat(y, y))
            {
                int fours = checked((int)(y.Count / 4));
                context.LaunchThreads(new FourDropoutWork<T> { X = Vectors.Of<T>(context, x), Y = Vectors.Of<T>(context, y), Fours = fours, Draw = draw, Accumulate = add }, fours);
                return;
            }

            context.LaunchThreads(
                new DropoutWork<T> { X = context.View<T>(x), Y = context.View<T>(y), Shape = Nest.Of(y.Layout, x.Layout), Draw = draw, Accumulate = add }, (y.Count + 3) / 4);
        }
    }
}
