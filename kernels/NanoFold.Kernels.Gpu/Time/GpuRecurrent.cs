using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.MatMul;
using NanoFold.Kernels.Gpu.Reduce;

namespace NanoFold.Kernels.Gpu.Time;

/// <summary>
/// Recurrent cells on a GPU: place after place a matrix product of the states before, then the formula, a unit a thread. The state is carried in single precision;
/// the product reads it as it is given out.
/// </summary>
internal sealed class GpuRecurrent<TCell>(GpuContext context, GpuMatMul matMul, GpuReduce reduce) : IKernel<RecurrentCall<TCell>>, IKernel<RecurrentBackwardCall<TCell>>
    where TCell : struct, IRecurrentCell
{
    public void Run(in RecurrentCall<TCell> call)
    {
        call.Check();
        RowCheck.Scratch(RecurrentCall<TCell>.Name, call.Scratch, ScratchBytes(call));
        ByElement.Run(RecurrentCall<TCell>.Name, call.X, new Forward(this, call));
    }

    public void Run(in RecurrentBackwardCall<TCell> call)
    {
        call.Check();
        RowCheck.Scratch(RecurrentBackwardCall<TCell>.Name, call.Scratch, ScratchBytes(call));
        ByElement.Run(RecurrentBackwardCall<TCell>.Name, call.H, new Backward(this, call));
    }

    public long ScratchBytes(in RecurrentCall<TCell> shape) => new ForwardRoom(shape.Scratch, shape.H).Bytes;

    public long ScratchBytes(in RecurrentBackwardCall<TCell> shape) => new BackwardRoom(shape.Scratch, shape.H).Bytes;

    private void Run<T>(in RecurrentCall<TCell> call)
        where T : unmanaged, IElement<T>
    {
        ref readonly Layout shape = ref call.H.Layout;
        int batch = shape[0], time = shape[1], width = shape[2], units = checked(batch * width);
        var room = new ForwardRoom(call.Scratch, call.H);
        var work = new RecurrentWork<T, TCell>
        {
            X = SequenceView<T>.Of(context, call.X, call.X.Layout), H = SequenceView<T>.Of(context, call.H, shape),
            Seams = Seams<T>.Of(context, call.Continues, call.Counts, time),
            Bias = context.View<T>(call.Bias), Saved = context.View<T>(call.Saved),
            State = context.View<float>(room.State), Products = context.View<float>(room.Products),
            Threads = units, Width = width, HasBias = call.Bias.IsNone ? 0 : 1, HasSaved = call.Saved.IsNone ? 0 : 1,
        };
        var states = new StateCopyWork<T>
        {
            From = StateView<T>.Of(context, call.Initial), Single = work.State, First = context.View<T>(room.First),
            Threads = TCell.States * units, Width = width, States = TCell.States,
        };
        context.LaunchThreads(states, states.Threads);
        for (int place = 0; place < time; place++)
        {
            work.Place = place;
            work.HasProducts = place > 0 || !call.Initial.IsNone ? 1 : 0;
            if (work.HasProducts != 0)
            {
                View before = place > 0 ? At(call.H, place - 1) : room.First;
                matMul.MatMul(RecurrentProducts.Hidden(before, call.Weight, room.Products, TCell.Gates) with { Rounding = call.Rounding });
            }

            context.LaunchThreads(work, units);
        }

        if (!call.Final.IsNone)
        {
            context.LaunchThreads(
                new StatePutWork<T> { To = StateView<T>.Of(context, call.Final), Single = work.State, Threads = states.Threads }, states.Threads);
        }
    }

    private void Run<T>(in RecurrentBackwardCall<TCell> call)
        where T : unmanaged, IElement<T>
    {
        ref readonly Layout shape = ref call.H.Layout;
        int batch = shape[0], time = shape[1], width = shape[2], units = checked(batch * width);
        var room = new BackwardRoom(call.Scratch, call.H);
        Seams<T> seams = Seams<T>.Of(context, call.Continues, default, time);
        var work = new RecurrentBackwardWork<T, TCell>
        {
            H = SequenceView<T>.Of(context, call.H, shape), DH = SequenceView<T>.Of(context, call.DH, shape),
            DX = call.DX.IsNone ? SequenceView<T>.Of(context, default, shape) : SequenceView<T>.Of(context, call.DX, call.DX.Layout),
            Seams = seams, Initial = StateView<T>.Of(context, call.Initial), DFinal = StateView<T>.Of(context, call.DFinal), DInitial = StateView<T>.Of(context, call.DInitial),
            Saved = context.View<T>(call.Saved), Hidden = context.View<T>(room.Hidden),
            Direct = context.View<float>(room.Direct), Products = context.View<float>(room.Products),
            Threads = units, Width = width, AccumulateX = call.AccumulateX ? 1 : 0, AccumulateInitial = call.AccumulateInitial ? 1 : 0,
        };
        for (int place = time - 1; place >= (call.DInitial.IsNone ? 0 : -1); place--)
        {
            work.Place = place;
            if (place < time - 1)
            {
                View after = At(room.Hidden.With(Layout.Of(batch, time, TCell.Gates * width)), place + 1);
                for (int gate = 0; gate < RecurrentProducts.BackwardCount(call.Weight, width, TCell.Gates); gate++)
                {
                    matMul.MatMul(RecurrentProducts.Before(after, call.Weight, room.Products, TCell.Gates, gate) with { Rounding = call.Rounding });
                }
            }

            context.LaunchThreads(work, units);
        }

        if (!call.DBias.IsNone)
        {
            reduce.Sum(room.Hidden, call.DBias.With(Layout.Of(1, TCell.Gates * width)), accumulate: true);
        }

        if (!call.DWeight.IsNone)
        {
            int elements = checked((int)call.H.Count);
            context.LaunchThreads(
                new StatesBeforeWork<T>
                {
                    H = work.H, Seams = seams, Initial = work.Initial, Before = context.View<T>(room.Before), Threads = elements, Width = width, States = TCell.States,
                },
                elements);
            matMul.MatMul(RecurrentProducts.Weight(room.Hidden, room.Before, call.DWeight, TCell.Gates) with { Rounding = call.Rounding });
        }
    }

    private static View At(in View sequence, int place)
    {
        Layout layout = sequence.Layout.Select(1, place, out long offset);
        return sequence.With(layout, offset);
    }

    private readonly struct Forward(GpuRecurrent<TCell> kernel, RecurrentCall<TCell> call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }

    private readonly struct Backward(GpuRecurrent<TCell> kernel, RecurrentBackwardCall<TCell> call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }

    /// <summary>What lies in the scratch memory of a forward call.</summary>
    private readonly struct ForwardRoom
    {
        public ForwardRoom(in View scratch, in View h)
        {
            int batch = h.Layout[0], width = h.Layout[2];
            var pieces = new Pieces(scratch);
            Products = pieces.Next(DType.Float32, Layout.Of(batch, TCell.Gates * width));
            State = pieces.Next(DType.Float32, Layout.Of(batch, TCell.States * width));
            First = pieces.Next(h.Type, Layout.Of(batch, width));
            Bytes = pieces.Bytes;
        }

        public long Bytes { get; }

        /// <summary>W h of a place.</summary>
        public View Products { get; }

        public View State { get; }

        /// <summary>The first vector of the initial state, in the type of the weight.</summary>
        public View First { get; }
    }

    /// <summary>What lies in the scratch memory of a backward call.</summary>
    private readonly struct BackwardRoom
    {
        public BackwardRoom(in View scratch, in View h)
        {
            int batch = h.Layout[0], rows = checked(batch * h.Layout[1]), width = h.Layout[2];
            var pieces = new Pieces(scratch);
            Hidden = pieces.Next(h.Type, Layout.Of(rows, TCell.Gates * width));
            Before = pieces.Next(h.Type, Layout.Of(rows, width));
            Direct = pieces.Next(DType.Float32, Layout.Of(batch, TCell.States * width));
            Products = pieces.Next(DType.Float32, Layout.Of(batch, width));
            Bytes = pieces.Bytes;
        }

        public long Bytes { get; }

        /// <summary>Gradients of what states brought to gates.</summary>
        public View Hidden { get; }

        /// <summary>The state that each place got.</summary>
        public View Before { get; }

        /// <summary>Gradients of the state before a place that do not go through the weight.</summary>
        public View Direct { get; }

        /// <summary>Those that do.</summary>
        public View Products { get; }
    }

    /// <summary>Cuts scratch memory into pieces that begin at 256 bytes; of none only their sizes are known.</summary>
    private struct Pieces(View scratch)
    {
        private const int Alignment = 256;

        public long Bytes { get; private set; }

        public View Next(DType type, in Layout layout)
        {
            View piece = scratch.IsNone ? default : scratch.As(type, layout, Bytes / type.Size());
            Bytes += (layout.Count * type.Size() + Alignment - 1) / Alignment * Alignment;
            return piece;
        }
    }
}
