using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.Pointwise;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>Rows of matrices over time, cut off where places do not see each other, on the CPU: an item is a row of a group.</summary>
public sealed unsafe class CpuMix(CpuContext context) : IKernel<MixRowsCall>, IKernel<MixRowsBackwardCall>, IKernel<MixStepCall>
{
    public void Run(in MixRowsCall call)
    {
        call.Check();
        var work = new MixRowsWork { Rows = new MixRows(call.Y, call.Mix, call.Continues, call.First), IsBackward = false };
        context.Run(call.Y.Type, work.Rows.Items, ref work, call.Y.Count >= Map.SmallElements);
    }

    public void Run(in MixRowsBackwardCall call)
    {
        call.Check();
        var work = new MixRowsWork { Rows = new MixRows(call.DY, call.DMix, call.Continues, call.First), IsBackward = true };
        context.Run(call.DY.Type, work.Rows.Items, ref work, call.DY.Count >= Map.SmallElements);
    }

    public void Run(in MixStepCall call)
    {
        call.Check();
        ref readonly Layout shape = ref call.V.Layout;
        var work = new MixStepWork
        {
            V = new Steps(call.V, shape),
            Y = new Steps(call.Y, shape),
            Mix = new Steps(call.Mix, call.Mix.Layout),
            Cache = (byte*)call.Cache.Address,
            Positions = call.Positions.Ints,
            Counts = call.Counts.Ints,
            Time = shape[1],
            Width = shape[2],
            Groups = call.Mix.Layout[0],
            Capacity = call.Mix.Layout[1],
        };
        context.Run(call.V.Type, (long)shape[0] * work.Groups, ref work, call.Cache.Count >= Map.SmallElements);
    }
}

/// <summary>Rows [B, G, R, S] beside those of the matrices that they are of.</summary>
internal readonly unsafe struct MixRows(in View rows, in View mix, in View continues, int first)
{
    private readonly byte* _rows = (byte*)rows.Address;
    private readonly byte* _continues = (byte*)continues.Address;
    private readonly int _size = rows.Type.Size(), _groups = rows.Layout[1], _count = rows.Layout[2], _time = continues.IsNone ? 0 : continues.Layout[1];
    private readonly Steps _mix = new(mix, mix.Layout);

    public int Batch { get; } = rows.Layout[0];

    /// <summary>S.</summary>
    public int Width { get; } = rows.Layout[3];

    /// <summary>Rows of all groups.</summary>
    public long Items => (long)_groups * _count;

    public byte* MixAt(long item) => _mix.At((int)(item / _count), Place(item), 0);

    public byte* RowAt(long item, int batch) => _rows + (((nint)batch * _groups * _count) + (nint)item) * Width * _size;

    public int Place(long item) => first + (int)(item % _count);

    /// <summary>The last beginning of a row at or before a place.</summary>
    public int Begin(int batch, int place)
    {
        if (_continues is null)
        {
            return 0;
        }

        nint row = (nint)batch * _time;
        while (place > 0 && (_size == sizeof(double) ? ((double*)_continues)[row + place] : ((float*)_continues)[row + place]) != 0)
        {
            place--;
        }

        return place;
    }
}

/// <summary>Copies what a place sees, or adds its gradient.</summary>
internal unsafe struct MixRowsWork : ILaneWork
{
    public required MixRows Rows;
    public required bool IsBackward;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int place = Rows.Place(item), size = V.Type.Size();
        byte* mix = Rows.MixAt(item);
        for (int b = 0; b < Rows.Batch; b++)
        {
            int begin = Rows.Begin(b, place);
            byte* row = Rows.RowAt(item, b);
            if (!IsBackward)
            {
                new Span<byte>(row, begin * size).Clear();
                new Span<byte>(mix + begin * size, (place + 1 - begin) * size).CopyTo(new Span<byte>(row + begin * size, (place + 1 - begin) * size));
                new Span<byte>(row + (place + 1) * size, (Rows.Width - place - 1) * size).Clear();
                continue;
            }

            for (int s = begin; s <= place; s += V.Width)
            {
                int count = Math.Min(V.Width, place + 1 - s);
                LaneRow.Store(mix, s, count, LaneRow.Load<V>(mix, s, count) + LaneRow.Load<V>(row, s, count));
            }
        }
    }
}

/// <summary>New values into the cache, then the sums over it: an item is a group of channels of a row.</summary>
internal unsafe struct MixStepWork : ILaneWork
{
    public required Steps V;
    public required Steps Y;
    public required Steps Mix;
    public required byte* Cache;
    public required int* Positions;
    public required int* Counts;
    public required int Time;
    public required int Width;
    public required int Groups;
    public required int Capacity;

    public readonly void Invoke<TLane>(long item, int worker)
        where TLane : struct, ICpuLane<TLane>
    {
        int row = (int)(item / Groups), group = (int)(item % Groups), channels = Width / Groups, channel = group * channels, size = TLane.Type.Size(), bytes = channels * size;
        int position = Math.Clamp(Positions[row], 0, Capacity), count = Math.Clamp(Counts[row], 0, Math.Min(Time, Capacity - position));
        byte* cache = Cache + ((nint)row * Capacity * Width + channel) * size;
        nint place = (nint)Width * size;
        for (int t = 0; t < count; t++)
        {
            new Span<byte>(V.At(row, t, channel), bytes).CopyTo(new Span<byte>(cache + (position + t) * place, bytes));
        }

        for (int t = 0; t < count; t++)
        {
            byte* weights = Mix.At(group, position + t, 0), y = Y.At(row, t, channel);
            for (int c = 0; c < channels; c += TLane.Width)
            {
                int part = Math.Min(TLane.Width, channels - c);
                TLane sum = TLane.Constant(0);
                for (int s = 0; s <= position + t; s++)
                {
                    sum = TLane.MultiplyAdd(TLane.Splat(weights, s), LaneRow.Load<TLane>(cache + s * place, c, part), sum);
                }

                LaneRow.Store(y, c, part, sum);
            }
        }

        for (int t = count; t < Time; t++)
        {
            new Span<byte>(Y.At(row, t, channel), bytes).Clear();
        }
    }
}
