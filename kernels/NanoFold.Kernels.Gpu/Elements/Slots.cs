using ILGPU;

namespace NanoFold.Kernels.Gpu.Elements;

/// <summary>Slots of the step's state that are doubles, as kernels see them.</summary>
internal static class Slots
{
    public static double Double(ArrayView<long> state, StepSlot slot) => Interop.IntAsFloat((ulong)state[(int)slot]);

    public static void Set(ArrayView<long> state, StepSlot slot, double value) => state[(int)slot] = (long)Interop.FloatAsInt(value);
}
