namespace NanoFold.Kernels.Null;

/// <summary>Slots that the host can set and read back; no kernel ever reads them.</summary>
public sealed class NullStepState : StepState
{
    private readonly long[] _slots = new long[(int)StepSlot.Count];
    private readonly NullBuffer _buffer = new((long)StepSlot.Count * sizeof(double));

    public NullStepState() => Set(StepSlot.LossScale, 1.0);

    public override View View => new(_buffer, 0, Layout.Of((int)StepSlot.Count), DType.Float64);

    public override void Set(StepSlot slot, double value) => _slots[(int)slot] = BitConverter.DoubleToInt64Bits(value);

    public override void Set(StepSlot slot, long value) => _slots[(int)slot] = value;

    public override double GetDouble(StepSlot slot) => BitConverter.Int64BitsToDouble(_slots[(int)slot]);

    public override long GetInteger(StepSlot slot) => _slots[(int)slot];
}
