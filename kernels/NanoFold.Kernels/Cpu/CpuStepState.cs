using NanoFold.Kernels.Memory;

namespace NanoFold.Kernels.Cpu;

/// <summary>The step's slots in host memory.</summary>
public sealed unsafe class CpuStepState : StepState, IDisposable
{
    private readonly NativeBuffer _buffer = new((int)StepSlot.Count * sizeof(double));

    public CpuStepState() => Set(StepSlot.LossScale, 1.0);

    public override View View => new(_buffer, 0, Layout.Of((int)StepSlot.Count), DType.Float64);

    public override void Set(StepSlot slot, double value) => Doubles[(int)slot] = value;

    public override void Set(StepSlot slot, long value) => ((long*)_buffer.Pointer)[(int)slot] = value;

    public override double GetDouble(StepSlot slot) => Doubles[(int)slot];

    public override long GetInteger(StepSlot slot) => ((long*)_buffer.Pointer)[(int)slot];

    public void Dispose() => _buffer.Dispose();

    private double* Doubles => (double*)_buffer.Pointer;
}
