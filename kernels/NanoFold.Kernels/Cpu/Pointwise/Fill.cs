namespace NanoFold.Kernels.Cpu.Pointwise;

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
