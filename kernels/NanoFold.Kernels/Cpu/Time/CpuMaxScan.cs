using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu.Pointwise;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>Fading maxima on the CPU: an item walks some channels of one row through all of time.</summary>
public sealed unsafe class CpuMaxScan(CpuContext context) : IKernel<MaxScanCall>, IKernel<MaxScanBackwardCall>
{
    public void Run(in MaxScanCall call)
    {
        call.Check();
        ref readonly Layout shape = ref call.X.Layout;
        var work = new Forward
        {
            Walk = new Walk(shape, call.Continues, call.Counts, reverse: false, call.X.Type.Size()),
            A = new Steps(call.A, shape),
            X = new Steps(call.X, shape),
            M = new Steps(call.M, shape),
            Carried = new Steps(call.Carried, shape),
            State = (byte*)call.State.Address,
        };
        context.Run(call.X.Type, work.Walk.Items, ref work, call.X.Count >= Map.SmallElements / 4);
    }

    public void Run(in MaxScanBackwardCall call)
    {
        call.Check();
        ref readonly Layout shape = ref call.X.Layout;
        var work = new Backward
        {
            Walk = new Walk(shape, call.Continues, default, reverse: false, call.X.Type.Size()),
            X = new Steps(call.X, shape),
            Carried = new Steps(call.Carried, shape),
            DM = new Steps(call.DM, shape),
            DCarried = new Steps(call.DCarried, shape),
            DA = new Steps(call.DA, shape),
            DX = new Steps(call.DX, shape),
            AccumulateA = call.AccumulateA,
            AccumulateX = call.AccumulateX,
        };
        context.Run(call.X.Type, work.Walk.Items, ref work, call.X.Count >= Map.SmallElements / 4);
    }

    private struct Forward : ILaneWork
    {
        public Walk Walk;
        public Steps A;
        public Steps X;
        public Steps M;
        public Steps Carried;
        public byte* State;

        public readonly void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            Walk.Item(item, out int row, out int channel, out int channels);
            int steps = Walk.Count(row), bytes = channels * V.Type.Size();
            byte* state = Walk.State(State, row, channel), before = state;
            for (int place = 0; place < steps; place++)
            {
                byte* a = A.At(row, place, channel), x = X.At(row, place, channel), m = M.At(row, place, channel), carried = Carried.At(row, place, channel);
                V factor = V.Constant(Walk.Carries(row, place, steps));
                for (nint i = 0; i < channels; i += V.Width)
                {
                    int count = (int)Math.Min(V.Width, channels - i);
                    V from = V.LoadPart(a, i, count);
                    from = before is null ? from : V.MultiplyAdd(V.LoadPart(before, i, count), factor, from);
                    V.StorePart(carried, i, count, from);
                    V.StorePart(m, i, count, V.Max(from, V.LoadPart(x, i, count)));
                }

                before = m;
            }

            for (int place = steps; place < Walk.Time; place++)
            {
                new Span<byte>(M.At(row, place, channel), bytes).Clear();
                new Span<byte>(Carried.At(row, place, channel), bytes).Clear();
            }

            if (state is not null && before != state)
            {
                new Span<byte>(before, bytes).CopyTo(new Span<byte>(state, bytes));
            }
        }
    }

    private struct Backward : ILaneWork
    {
        public Walk Walk;
        public Steps X;
        public Steps Carried;
        public Steps DM;
        public Steps DCarried;
        public Steps DA;
        public Steps DX;
        public bool AccumulateA;
        public bool AccumulateX;

        public readonly void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            // What goes from each place to the one before.
            byte* passed = stackalloc byte[Walk.MostChannels * sizeof(double)];
            Walk.Item(item, out int row, out int channel, out int channels);
            new Span<byte>(passed, channels * V.Type.Size()).Clear();
            for (int place = Walk.Time - 1; place >= 0; place--)
            {
                V factor = V.Constant(Walk.Carries(row, place, Walk.Time)), zero = V.Constant(0);
                byte* x = X.At(row, place, channel), carried = Carried.At(row, place, channel);
                byte* dm = DM.AtOrNull(row, place, channel), dCarried = DCarried.AtOrNull(row, place, channel), da = DA.AtOrNull(row, place, channel), dx = DX.AtOrNull(row, place, channel);
                for (nint i = 0; i < channels; i += V.Width)
                {
                    int count = (int)Math.Min(V.Width, channels - i);
                    V from = V.LoadPart(carried, i, count), own = V.LoadPart(x, i, count), g = V.LoadPart(passed, i, count);
                    g = dm is null ? g : g + V.LoadPart(dm, i, count);
                    V gradient = V.SelectGreater(from, own, g, zero);
                    gradient = dCarried is null ? gradient : gradient + V.LoadPart(dCarried, i, count);
                    Put(dx, i, count, V.SelectGreater(from, own, zero, g), AccumulateX);
                    Put(da, i, count, gradient, AccumulateA);
                    V.StorePart(passed, i, count, gradient * factor);
                }
            }
        }

        private static void Put<V>(byte* target, nint i, int count, V value, bool accumulate)
            where V : struct, ICpuLane<V>
        {
            if (target is not null)
            {
                V.StorePart(target, i, count, accumulate ? V.LoadPart(target, i, count) + value : value);
            }
        }
    }
}
