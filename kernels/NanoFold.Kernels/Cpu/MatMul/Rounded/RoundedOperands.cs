namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>Rounded to bfloat16 and multiplied as floats: what a processor without a unit for bfloat16 does, with the same products.</summary>
internal readonly unsafe struct RoundedOperands : IOperands<float>
{
    public static bool ReadsInPlace => false;

    public static int StepDepth => 1;

    public static int StepUnit => 1;

    public static void PackPanels(in Lines source, int width, float* target)
    {
        PlainOperands<float>.PackPanels(source, width, target);
        Rounding.Round(target, (long)BlockPlan.Ceiling(source.Count, width) * width * source.Depth);
    }

    public static void PackStrips(in Lines source, int width, float* target) => PackPanels(source, width, target);
}
