using NanoFold.Kernels.Cpu.Loops;

namespace NanoFold.Kernels.Cpu.Pointwise;

/// <summary>Moves elements between any strides.</summary>
internal static class Copy
{
    public static void Run(CpuContext context, in View x, in View y, bool accumulate)
    {
        if (!accumulate)
        {
            var nest = new Nest(y.Layout);
            nest.Add(x.Layout, y.Layout);
            nest.Collapse();
            int axis = Transpose.Axis(nest);
            if (axis >= 0)
            {
                Transpose.Run(context, nest, axis, x, y);
                return;
            }
        }

        Map.Run(context, default(Identity), x, y, accumulate);
    }
}
