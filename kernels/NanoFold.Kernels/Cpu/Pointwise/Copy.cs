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

/// <summary>One value into every element.</summary>
internal static unsafe class Fill
{
    public static void Run(CpuContext context, in View y, double value)
    {
        // One element of y's type, moved bit by bit and broadcast.
        double element = value;
        if (y.Type == DType.Float32)
        {
            *(float*)&element = (float)value;
        }
        else if (y.Type == DType.Int32)
        {
            *(int*)&element = (int)value;
        }

        Map.Run(context, default(Identity), &element, Layout.Of(), y);
    }
}
