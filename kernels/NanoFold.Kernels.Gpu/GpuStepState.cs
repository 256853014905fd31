using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;

namespace NanoFold.Kernels.Gpu;

/// <summary>
/// The step's slots in device memory. What the host sets is sent with the next launch, as arguments of a kernel of its own: no copy, no waiting,
/// and slots that kernels write are left alone. Reading waits for what was launched.
/// </summary>
internal sealed class GpuStepState : StepState, IDisposable
{
    private const int Count = (int)StepSlot.Count;

    private readonly GpuContext _context;
    private readonly GpuBuffer _buffer;
    private readonly PageLockedArray1D<long> _mirror;
    private readonly long[] _pending = new long[Count];
    private int _isPending;
    private long _mirrored = -1;

    public GpuStepState(GpuContext context)
    {
        _context = context;
        _buffer = new GpuBuffer(context, Count * sizeof(long));
        _mirror = context.Accelerator.AllocatePageLocked1D<long>(Count);
        Set(StepSlot.LossScale, 1.0);
    }

    public ArrayView<long> Slots => _buffer.Memory.SubView(0, Count * sizeof(long)).Cast<long>();

    public override View View => new(_buffer, 0, Layout.Of(Count), DType.Float64);

    public override void Set(StepSlot slot, double value) => Set(slot, BitConverter.DoubleToInt64Bits(value));

    public override void Set(StepSlot slot, long value)
    {
        _pending[(int)slot] = value;
        _isPending |= 1 << (int)slot;
    }

    public override double GetDouble(StepSlot slot) => BitConverter.Int64BitsToDouble(GetInteger(slot));

    public override long GetInteger(StepSlot slot)
    {
        if ((_isPending & (1 << (int)slot)) != 0)
        {
            return _pending[(int)slot];
        }

        if (_mirrored != _context.Version)
        {
            Slots.CopyTo(_context.Stream, _mirror.ArrayView);
            _context.Stream.Synchronize();
            _mirrored = _context.Version;
        }

        return _mirror[(int)slot];
    }

    /// <summary>Sends what was set.</summary>
    public void Flush()
    {
        if (_isPending == 0)
        {
            return;
        }

        if (_context.IsCapturing)
        {
            throw new InvalidOperationException("gpu: the step's state was set while a step was captured");
        }

        var work = new SetSlots { Slots = Slots, Mask = _isPending };
        _isPending = 0;
        _pending.CopyTo(MemoryMarshal.CreateSpan(ref work.V0, SetSlots.Room));
        _context.Launch(work, 1, 1);
    }

    public void Dispose()
    {
        _mirror.Dispose();
        _buffer.Dispose();
    }

    /// <summary>One thread writes the slots whose bit is set.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct SetSlots : IGpuWork<SetSlots>
    {
        public const int Room = 16;

        public ArrayView<long> Slots;
        public int Mask;
        public long V0, V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11, V12, V13, V14, V15;

        public static void Run(SetSlots w)
        {
            Write(w, 0, w.V0);
            Write(w, 1, w.V1);
            Write(w, 2, w.V2);
            Write(w, 3, w.V3);
            Write(w, 4, w.V4);
            Write(w, 5, w.V5);
            Write(w, 6, w.V6);
            Write(w, 7, w.V7);
            Write(w, 8, w.V8);
            Write(w, 9, w.V9);
            Write(w, 10, w.V10);
            Write(w, 11, w.V11);
            Write(w, 12, w.V12);
            Write(w, 13, w.V13);
            Write(w, 14, w.V14);
            Write(w, 15, w.V15);
        }

        private static void Write(SetSlots w, int slot, long value)
        {
            if ((w.Mask & (1 << slot)) != 0)
            {
                w.Slots[slot] = value;
            }
        }
    }
}

/// <summary>Slots of the step's state that are doubles, as kernels see them.</summary>
internal static class Slots
{
    public static double Double(ArrayView<long> state, StepSlot slot) => Interop.IntAsFloat((ulong)state[(int)slot]);

    public static void Set(ArrayView<long> state, StepSlot slot, double value) => state[(int)slot] = (long)Interop.FloatAsInt(value);
}
