using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Pointwise;

/// <summary>Elementwise formulas of one to three operands and one or two results.</summary>
internal static class Pointwise
{
    public static void Run<TOp>(GpuContext context, TOp op, in View a, in View b, in View c, in View y, bool accumulateY, in View z = default, bool accumulateZ = false)
        where TOp : struct, IPointwise
    {
        switch (y.Type)
        {
            case DType.BFloat16:
                Run<TOp, BF16>(context, op, a, b, c, y, accumulateY, z, accumulateZ);
                break;
            case DType.Float16:
                Run<TOp, F16>(context, op, a, b, c, y, accumulateY, z, accumulateZ);
                break;
            default:
                GpuChecks.NotDouble("map", y);
                Run<TOp, F32>(context, op, a, b, c, y, accumulateY, z, accumulateZ);
                break;
        }
    }

    private static void Run<TOp, T>(GpuContext context, TOp op, in View a, in View b, in View c, in View y, bool accumulateY, in View z, bool accumulateZ)
        where TOp : struct, IPointwise
        where T : unmanaged, IElement<T>
    {
        View second = TOp.IsPair ? z : y;
        if (Vectors.IsFlat(a, y) && Vectors.IsFlat(b, y) && Vectors.IsFlat(c, y) && Vectors.IsFlat(second, y))
        {
            int fours = (int)(y.Count / 4);
            context.Launch(
                new FlatWork<TOp, T>
                {
                    Op = op, Fours = fours, A = Vectors.Of<T>(context, a), B = Vectors.Of<T>(context, b), C = Vectors.Of<T>(context, c),
                    Y = Vectors.Of<T>(context, y), Z = Vectors.Of<T>(context, second), AccumulateY = accumulateY ? 1 : 0, AccumulateZ = accumulateZ ? 1 : 0,
                },
                Groups(context, fours), context.GroupSize);
            return;
        }

        Shape shape = Shape.Of(y.Layout, a.Layout, b.Layout, c.Layout, second.Layout);
        context.Launch(
            new PointwiseWork<TOp, T>
            {
                Op = op, Shape = shape, A = context.View<T>(a), B = context.View<T>(b), C = context.View<T>(c),
                Y = context.View<T>(y), Z = context.View<T>(second), AccumulateY = accumulateY ? 1 : 0, AccumulateZ = accumulateZ ? 1 : 0,
            },
            Groups(context, shape.Count), context.GroupSize);
    }

    private static int Groups(GpuContext context, int threads) => (threads + context.GroupSize - 1) / context.GroupSize;
}
