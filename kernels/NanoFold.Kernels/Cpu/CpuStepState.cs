namespace NanoFold.Kernels.Cpu;

/// <summary>The step's slots in host memory: integers, or the bits of doubles.</summary>
public sealed class CpuStepState : StepState
{
    private readonly long[] _slots = new long[Capacity];

    public CpuStepState() => Start();

    public override void Set(StepSlot slot, double value) => _slots[(int)slot] = BitConverter.DoubleToInt64Bits(value);

    public override void Set(StepSlot slot, long value) => _slots[(int)slot] = value;

    public override double GetDouble(StepSlot slot) => BitConverter.Int64BitsToDouble(_slots[(int)slot]);

    public override long GetInteger(StepSlot slot) => _slots[(int)slot];

    public override void Dispose()
    {
    }
}
