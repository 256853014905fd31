using System.Numerics;
using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;

namespace NanoFold.Kernels.Gpu;

/// <summary>
/// Slots in device memory. What the host sets is sent before the next kernel that reads the state, as arguments of a kernel of its own: no copy, no waiting,
/// and slots that kernels write are left alone. Reading waits for what was launched.
/// </summary>
internal sealed class GpuStepState : StepState
{
    private readonly GpuBuffer _buffer;
    private readonly PageLockedArray1D<long> _mirror;
    private readonly long[] _pending = new long[Capacity];
    private ulong _isPending;
    private long _mirrored = -1;

    public GpuStepState(GpuContext context)
    {
        Context = context;
        _buffer = new GpuBuffer(context, Capacity * sizeof(long));
        _mirror = context.Accelerator.AllocatePageLocked1D<long>(Capacity);
        context.States.Add(this);
        Start();
    }

    public GpuContext Context { get; }

    public ArrayView<long> Slots => _buffer.Memory.SubView(0, Capacity * sizeof(long)).Cast<long>();

    public override void Set(StepSlot slot, double value) => Set(slot, BitConverter.DoubleToInt64Bits(value));

    public override void Set(StepSlot slot, long value)
    {
        _pending[(int)slot] = value;
        _isPending |= 1UL << (int)slot;
    }

    public override double GetDouble(StepSlot slot) => BitConverter.Int64BitsToDouble(GetInteger(slot));

    public override long GetInteger(StepSlot slot)
    {
        if ((_isPending & (1UL << (int)slot)) != 0)
        {
            return _pending[(int)slot];
        }

        if (_mirrored != Context.Version)
        {
            Slots.CopyTo(Context.Stream, _mirror.ArrayView);
            Context.Stream.Synchronize();
            _mirrored = Context.Version;
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

        if (Context.IsCapturing)
        {
            throw new InvalidOperationException("gpu: a step's state was set while a step was captured");
        }

        while (_isPending != 0)
        {
            int first = BitOperations.TrailingZeroCount(_isPending) / SetSlots.Room * SetSlots.Room;
            ulong room = ((1UL << SetSlots.Room) - 1) << first;
            var work = new SetSlots { Slots = Slots.SubView(first, SetSlots.Room), Mask = (int)((_isPending & room) >> first) };
            _isPending &= ~room;
            _pending.AsSpan(first, SetSlots.Room).CopyTo(MemoryMarshal.CreateSpan(ref work.V0, SetSlots.Room));
            Context.Launch(work, 1, 1);
        }
    }

    public override void Dispose()
    {
        if (Context.States.Remove(this))
        {
            // What reads it later asks the buffer, which says that it is gone.
            _mirrored = -1;
            _mirror.Dispose();
            _buffer.Dispose();
        }
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

/// <summary>Slots of a state that are doubles, as kernels see them.</summary>
public static class Slots
{
    public static double Double(ArrayView<long> state, StepSlot slot) => Interop.IntAsFloat((ulong)state[(int)slot]);

    public static void Set(ArrayView<long> state, StepSlot slot, double value) => state[(int)slot] = (long)Interop.FloatAsInt(value);

    /// <summary>Adds to a slot; nothing with −1, which is none.</summary>
    public static void Increase(ArrayView<long> state, int slot, double by)
    {
        if (slot >= 0)
        {
            Set(state, (StepSlot)slot, Double(state, (StepSlot)slot) + by);
        }
    }
}
