using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;
using NanoFold.Kernels.Gpu.OpenCl.Processor;

namespace NanoFold.Kernels.Gpu.MatMul;

/// <summary>Matrix products that run on any GPU: tiles through shared memory, or an element a thread where y is thin.</summary>
/// <param name="context">What kernels share.</param>
/// <param name="tilesOnly">Tiles whatever the shape and the device, to test them.</param>
internal sealed class PortableMatMul(GpuContext context, bool tilesOnly = false) : IDisposable
{
    /// <summary>Fewer rows or columns than this waste most of a tile.</summary>
    private const int Thin = 16;

    /// <summary>Groups of a grid along its second and third dimension at most.</summary>
    private const int MostGroups = 65535;

    private readonly VectorProduct? _vectors = context.IsProcessor && !tilesOnly ? new VectorProduct(context) : null;

    public void Dispose() => _vectors?.Dispose();

    public void MatMul<TIn, TOut>(in MatMulArgs args)
        where TIn : unmanaged, IElement<TIn>
        where TOut : unmanaged, IElement<TOut>
    {
        View a = args.A, b = args.B, y = args.Y;
        int aRow = args.TransposeA ? -1 : -2, aStep = -3 - aRow, bStep = args.TransposeB ? -1 : -2, bColumn = -3 - bStep;
        var product = new Product<TIn, TOut>
        {
            A = context.View<TIn>(a), B = context.View<TIn>(b), Y = context.View<TOut>(y), Bias = context.View<TOut>(args.Bias), Residual = context.View<TOut>(args.Residual),
            ARow = a.Layout.Stride(aRow), AStep = a.Layout.Stride(aStep), BStep = b.Layout.Stride(bStep), BColumn = b.Layout.Stride(bColumn),
            YRow = y.Layout.Stride(-2), YColumn = y.Layout.Stride(-1), M = y.Layout[-2], N = y.Layout[-1], K = a.Layout[aStep],
            Alpha = (float)args.Alpha, Accumulate = args.Accumulate ? 1 : 0, HasBias = args.Bias.IsNone ? 0 : 1, HasResidual = args.Residual.IsNone ? 0 : 1,
        };
        Layout residual = y.Layout;
        if (!args.Bias.IsNone)
        {
            product.BiasColumn = args.Bias.Layout.Stride(0);
        }

        if (!args.Residual.IsNone)
        {
            residual = args.Residual.Layout.BroadcastTo(y.Layout);
            product.ResidualRow = residual.Stride(-2);
            product.ResidualColumn = residual.Stride(-1);
        }

        Nest batches = Nest.Of(Leading(y.Layout), Leading(a.Layout), Leading(b.Layout), Leading(residual));
        FoldIntoRows(ref product, ref batches);
        if (product is Product<F32, F32> single && _vectors?.TryRun(args, single, batches) == true)
        {
            return;
        }

        Launch(product, batches);
    }

    public void GroupedMatMul<TIn, TOut>(in GroupedMatMulArgs args)
        where TIn : unmanaged, IElement<TIn>
        where TOut : unmanaged, IElement<TOut>
    {
        View a = args.A, b = args.B, y = args.Y;
        var product = new Product<TIn, TOut>
        {
            A = context.View<TIn>(a), B = context.View<TIn>(b), Y = context.View<TOut>(y), Bias = context.View<TOut>(default), Residual = context.View<TOut>(default),
            YRow = y.Layout.Stride(-2), YColumn = y.Layout.Stride(-1), M = y.Layout[-2], N = y.Layout[-1], Alpha = 1, Accumulate = args.Accumulate ? 1 : 0,
        };
        if (args.PerGroupOutput)
        {
            product.ARow = a.Layout.Stride(1);
            product.AStep = a.Layout.Stride(0);
            product.BStep = b.Layout.Stride(0);
            product.BColumn = b.Layout.Stride(1);
            LaunchSums(product, args);
            return;
        }

        int step = args.TransposeB ? 2 : 1;
        product.ARow = a.Layout.Stride(0);
        product.AStep = a.Layout.Stride(1);
        product.BStep = b.Layout.Stride(step);
        product.BColumn = b.Layout.Stride(3 - step);
        product.K = a.Layout[1];
        int groups = b.Layout[0];
        if (IsThin(product))
        {
            context.LaunchThreads(
                new GroupedElementWork<TIn, TOut> { Product = product, Offsets = context.View<int>(args.Offsets), Groups = groups, BGroup = b.Layout.Stride(0) },
                (long)product.M * product.N);
            return;
        }

        context.Launch(
            new GroupedTileWork<TIn, TOut> { Product = product, Offsets = context.View<int>(args.Offsets), Groups = groups, BGroup = b.Layout.Stride(0) },
            Tiles(product.M) + groups, Tiles(product.N), 1, ProductTile.Threads);
    }

    private void Launch<TIn, TOut>(in Product<TIn, TOut> product, in Nest batches)
        where TIn : unmanaged, IElement<TIn>
        where TOut : unmanaged, IElement<TOut>
    {
        if (IsThin(product))
        {
            context.LaunchThreads(
                new ElementProductWork<TIn, TOut> { Product = product, Batches = batches }, (long)product.M * product.N * batches.Count);
            return;
        }

        for (int first = 0; first < batches.Count; first += MostGroups)
        {
            context.Launch(
                new TileProductWork<TIn, TOut> { Product = product, Batches = batches, FirstBatch = first },
                Tiles(product.M), Tiles(product.N), Math.Min(MostGroups, batches.Count - first), ProductTile.Threads);
        }
    }

    private void LaunchSums<TIn, TOut>(in Product<TIn, TOut> product, in GroupedMatMulArgs args)
        where TIn : unmanaged, IElement<TIn>
        where TOut : unmanaged, IElement<TOut>
    {
        int groups = args.Y.Layout[0];
        long stride = args.Y.Layout.Stride(0);
        if (IsThin(product))
        {
            context.LaunchThreads(
                new GroupSumElementWork<TIn, TOut> { Product = product, Offsets = context.View<int>(args.Offsets), Groups = groups, YGroup = stride },
                (long)product.M * product.N * groups);
            return;
        }

        context.Launch(
            new GroupSumTileWork<TIn, TOut> { Product = product, Offsets = context.View<int>(args.Offsets), YGroup = stride },
            Tiles(product.M), Tiles(product.N), groups, ProductTile.Threads);
    }

    /// <summary>[B, T, C] · [C, N] is one product of B · T rows.</summary>
    private static void FoldIntoRows<TIn, TOut>(ref Product<TIn, TOut> product, ref Nest batches)
        where TIn : unmanaged, IElement<TIn>
        where TOut : unmanaged, IElement<TOut>
    {
        bool isSingle = product.M == 1;
        if (batches.Count == 1 || batches.Rank != 1 || batches.B.S0 != 0 || (long)batches.Count * product.M > int.MaxValue
            || !(isSingle || (batches.A.S0 == product.ARow * product.M && batches.Y.S0 == product.YRow * product.M
                && (product.HasResidual == 0 || batches.C.S0 == product.ResidualRow * product.M))))
        {
            return;
        }

        if (isSingle)
        {
            product.ARow = batches.A.S0;
            product.YRow = batches.Y.S0;
            product.ResidualRow = batches.C.S0;
        }

        product.M *= batches.Count;
        batches = Nest.Of(Layout.Of(1), Layout.Of(1), Layout.Of(1), Layout.Of(1));
    }

    /// <summary>A layout's leading dimensions, the last two of length 1.</summary>
    private static Layout Leading(in Layout layout) => layout.Slice(-1, 0, 1, out _).Slice(-2, 0, 1, out _);

    private bool IsThin<TIn, TOut>(in Product<TIn, TOut> product)
        where TIn : unmanaged, IElement<TIn>
        where TOut : unmanaged, IElement<TOut>
        => !tilesOnly && (context.IsSimulator || context.IsProcessor || product.M < Thin || product.N < Thin);

    private static int Tiles(int length) => (length + ProductTile.Side - 1) / ProductTile.Side;
}
