using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu.MatMul;
using NanoFold.Kernels.Cpu.Reduce;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>
/// Recurrent cells on the CPU. The weight is packed once; then place after place the units are shared out, each group of rows times a panel, and the formula
/// while the sums are in the cache. Backward likewise, and the weight's gradient as one product over all places. A few places read the weight where it lies.
/// </summary>
public sealed unsafe class CpuRecurrent<TCell>(CpuContext context) : IKernel<RecurrentCall<TCell>>, IKernel<RecurrentBackwardCall<TCell>>
    where TCell : struct, IRecurrentCell
{
    /// <summary>So many places are too few for a packed weight to pay.</summary>
    private const int FewPlaces = 2;

    /// <summary>Multiplications of a place below which it is not shared out.</summary>
    private const long SmallPlace = 1 << 16;

    private readonly CpuMatMul _matMul = new(context);

    public void Run(in RecurrentCall<TCell> call)
    {
        call.Check();
        RowCheck.Scratch(RecurrentCall<TCell>.Name, call.Scratch, ScratchBytes(call));
        ref readonly Layout shape = ref call.H.Layout;
        int batch = shape[0], time = shape[1], width = shape[2], size = call.X.Type.Size();
        RecurrentPanels panels = Panels(shape, call.Weight);
        bool parallel = IsShared(panels), packs = time > FewPlaces;
        byte* scratch = (byte*)call.Scratch.Address, products = scratch + OthersBytes(shape, size);
        var work = new RecurrentWork<TCell>
        {
            Panels = panels,
            Walk = new Walk(shape, call.Continues, call.Counts, reverse: false, size),
            X = new Steps(call.X, call.X.Layout),
            H = new Steps(call.H, shape),
            Bias = (byte*)call.Bias.Address,
            Initial = (byte*)call.Initial.Address,
            Saved = (byte*)call.Saved.Address,
            Others = TCell.States > 1 ? scratch : null,
            Packed = packs ? products : null,
            Products = packs ? null : products,
        };
        if (TCell.States > 1)
        {
            CopyOthers(call.Initial, scratch, batch, width * size);
        }

        if (packs)
        {
            Pack(panels, call.Weight, products, isTurned: false, parallel);
        }

        for (work.Place = 0; work.Place < time; work.Place++)
        {
            if (!packs && (work.Place > 0 || !call.Initial.IsNone))
            {
                MultiplyInPlace(call, work.Place, call.Scratch.As(call.X.Type, Layout.Of(batch, TCell.Gates * width), OthersBytes(shape, size) / size));
            }

            context.Run(call.X.Type, panels.Items, ref work, parallel);
        }

        if (!call.Final.IsNone)
        {
            Finish(call, work, width * size);
        }
    }

    public void Run(in RecurrentBackwardCall<TCell> call)
    {
        call.Check();
        RowCheck.Scratch(RecurrentBackwardCall<TCell>.Name, call.Scratch, ScratchBytes(call));
        ref readonly Layout shape = ref call.H.Layout;
        int batch = shape[0], time = shape[1], width = shape[2], size = call.H.Type.Size();
        RecurrentPanels panels = Panels(shape, call.Weight);
        bool parallel = IsShared(panels);
        long rows = (long)batch * time;
        View hidden = call.Scratch.As(call.H.Type, Layout.Of(checked((int)rows), TCell.Gates * width));
        View before = call.Scratch.As(call.H.Type, Layout.Of(checked((int)rows), width), hidden.Count);
        byte* direct = (byte*)before.Address + before.Count * size, packed = direct + (long)batch * TCell.States * width * size;
        var work = new RecurrentBackwardWork<TCell>
        {
            Panels = panels,
            Walk = new Walk(shape, call.Continues, default, reverse: false, size),
            H = new Steps(call.H, shape),
            DH = new Steps(call.DH, shape),
            DX = call.DX.IsNone ? default : new Steps(call.DX, call.DX.Layout),
            Initial = (byte*)call.Initial.Address,
            Saved = (byte*)call.Saved.Address,
            DFinal = (byte*)call.DFinal.Address,
            DInitial = (byte*)call.DInitial.Address,
            AccumulateX = call.AccumulateX,
            AccumulateInitial = call.AccumulateInitial,
            Packed = packed,
            Hidden = (byte*)hidden.Address,
            Direct = direct,
        };
        Pack(panels, call.Weight, packed, isTurned: true, parallel);
        int last = call.DInitial.IsNone ? 0 : -1;
        for (work.Place = time - 1; work.Place >= last; work.Place--)
        {
            context.Run(call.H.Type, panels.Items, ref work, parallel);
        }

        if (!call.DBias.IsNone)
        {
            Reductions.Sum(context, hidden, call.DBias.With(Layout.Of(1, TCell.Gates * width)), accumulate: true);
        }

        if (!call.DWeight.IsNone)
        {
            var states = new StatesBeforeWork
            {
                Walk = work.Walk, H = work.H, Initial = work.Initial, InitialRow = (nint)TCell.States * width * size, Before = (byte*)before.Address,
            };
            context.Run(ref states, rows, parallel);
            _matMul.MatMul(RecurrentProducts.Weight(hidden, before, call.DWeight, TCell.Gates) with { Rounding = call.Rounding });
        }
    }

    public long ScratchBytes(in RecurrentCall<TCell> shape)
    {
        ref readonly Layout h = ref shape.H.Layout;
        int size = shape.X.Type.Size();
        RecurrentPanels panels = Panels(h, shape.Weight);
        return OthersBytes(h, size) + (h[1] > FewPlaces ? panels.Count * panels.Elements : (long)h[0] * TCell.Gates * h[2]) * size;
    }

    public long ScratchBytes(in RecurrentBackwardCall<TCell> shape)
    {
        ref readonly Layout h = ref shape.H.Layout;
        RecurrentPanels panels = Panels(h, shape.Weight);
        return (((TCell.Gates + 1) * h.Count) + ((long)h[0] * TCell.States * h[2]) + (panels.Count * panels.Elements)) * shape.H.Type.Size();
    }

    private static RecurrentPanels Panels(in Layout h, in View weight) => new(h[0], h[2], weight.Layout[1], TCell.Gates);

    private static bool IsShared(in RecurrentPanels panels) => (long)panels.Batch * panels.Gates * panels.Width * panels.HeadWidth >= SmallPlace;

    private static long OthersBytes(in Layout h, int size) => (TCell.States - 1L) * h[0] * h[2] * size;

    private void Pack(in RecurrentPanels panels, in View weight, byte* packed, bool isTurned, bool parallel)
    {
        var pack = new PackWork { Panels = panels, Weight = (byte*)weight.Address, Packed = packed, IsTurned = isTurned };
        context.Run(weight.Type, panels.Count, ref pack, parallel);
    }

    private void MultiplyInPlace(in RecurrentCall<TCell> call, int place, in View products)
    {
        View from = place > 0 ? call.H : call.Initial.With(Layout.Of(call.H.Layout[0], TCell.States, call.H.Layout[2]));
        Layout state = from.Layout.Select(1, Math.Max(0, place - 1), out long offset);
        _matMul.MatMul(RecurrentProducts.Hidden(from.With(state, offset), call.Weight, products, TCell.Gates));
    }

    private static void CopyOthers(in View initial, byte* others, int batch, int bytes)
    {
        int count = (TCell.States - 1) * bytes;
        for (int row = 0; row < batch; row++)
        {
            var target = new Span<byte>(others + (long)row * count, count);
            if (initial.IsNone)
            {
                target.Clear();
            }
            else
            {
                new Span<byte>((byte*)initial.Address + (long)row * TCell.States * bytes + bytes, count).CopyTo(target);
            }
        }
    }

    private static void Finish(in RecurrentCall<TCell> call, in RecurrentWork<TCell> work, int bytes)
    {
        for (int row = 0; row < call.H.Layout[0]; row++)
        {
            int count = work.Walk.Count(row);
            byte* target = (byte*)call.Final.Address + (long)row * TCell.States * bytes;
            byte* first = count > 0 ? work.H.At(row, count - 1, 0) : call.Initial.IsNone ? null : (byte*)call.Initial.Address + (long)row * TCell.States * bytes;
            if (first is null)
            {
                new Span<byte>(target, bytes).Clear();
            }
            else
            {
                new Span<byte>(first, bytes).CopyTo(new Span<byte>(target, bytes));
            }

            new Span<byte>(work.Others + (long)row * (TCell.States - 1) * bytes, (TCell.States - 1) * bytes).CopyTo(new Span<byte>(target + bytes, (TCell.States - 1) * bytes));
        }
    }
}
