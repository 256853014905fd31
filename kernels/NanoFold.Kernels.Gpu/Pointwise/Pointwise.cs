using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Pointwise;

/// <summary>Elementwise formulas of one to three operands and one or two results.</summary>
internal static class Pointwise
{
    public static void Run<TOp>(GpuContext context, TOp op, in View a, in View b, in View c, in View y, bool accumulateY, in View z = default, bool accumulateZ = false)
        where TOp : struct, IPointwise
        => ByElement.Run("map", y, new Body<TOp>(context, op, a, b, c, y, accumulateY, TOp.IsPair ? z : y, accumulateZ));

    private readonly struct Body<TOp>(GpuContext context, TOp op, View a, View b, View c, View y, bool accumulateY, View z, bool accumulateZ) : IElementBody
        where TOp : struct, IPointwise
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            if (Vectors.IsFlat(a, y) && Vectors.IsFlat(b, y) && Vectors.IsFlat(c, y) && Vectors.IsFlat(z, y))
            {
                int fours = (int)(y.Count / 4);
                context.LaunchThreads(
                    new FlatWork<TOp, T>
                    {
                        Op = op, Fours = fours, A = Vectors.Of<T>(context, a), B = Vectors.Of<T>(context, b), C = Vectors.Of<T>(context, c),
                        Y = Vectors.Of<T>(context, y), Z = Vectors.Of<T>(context, z), AccumulateY = accumulateY ? 1 : 0, AccumulateZ = accumulateZ ? 1 : 0,
                    },
                    fours);
                return;
            }

            Shape shape = Shape.Of(y.Layout, a.Layout, b.Layout, c.Layout, z.Layout);
            context.LaunchThreads(
                new PointwiseWork<TOp, T>
                {
                    Op = op, Shape = shape, A = context.View<T>(a), B = context.View<T>(b), C = context.View<T>(c),
                    Y = context.View<T>(y), Z = context.View<T>(z), AccumulateY = accumulateY ? 1 : 0, AccumulateZ = accumulateZ ? 1 : 0,
                },
                shape.Count);
        }
    }
}
