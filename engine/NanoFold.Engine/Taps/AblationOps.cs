using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Taps;

/// <summary>y = 0.</summary>
internal sealed class ZeroOp : Op
{
    public override string Name => "ablate";

    public override void Forward(Backend backend, OpCall call) => backend.Fill(call.Output(0), 0);
}

/// <summary>The mean of a value over its places [1, 1, ..], or of a pattern [B, H, T, T] over rows [1, H, T, T]. No gradient.</summary>
internal sealed class MeanOfPlaces : Op
{
    public override string Name => "mean of places";

    public static Tensor Record(Tape tape, string name, Tensor value)
    {
        int[] shape = value.Layout.ToShape();
        if (!Tap.IsOfPlaces(tape, name, value))
        {
            throw new UserException($"tap {name}: {value} is not of places, so that it has no mean over them");
        }

        shape[0] = 1;
        shape[1] = Tap.IsPattern(name) ? shape[1] : 1;
        Tensor mean = tape.Record(new MeanOfPlaces(), [value], Layout.Of(shape));
        return BroadcastOp.Record(tape, mean, value.Layout.ToShape());
    }

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call)
    {
        View x = call.Input(0), y = call.Output(0);
        Reduction.Sum(backend, x, y, accumulate: false, call.Scratch);
        backend.Map(new ScaleOp.Times((double)y.Count / x.Count), y, y);
    }

    public override long ForwardScratchBytes(Node node) => Reduction.ScratchBytes(node.Inputs[0].Type, node.Outputs[0].Layout.Count);
}

/// <summary>What stands at other places, which are drawn once for a shape: y[b, t, ..] = x[b′, t, ..] with b′ ≠ b, or x[b, t′, ..] where there is one row. No gradient.</summary>
internal sealed class OtherPlaces(int[] places) : Op
{
    public override string Name => "other places";

    // The places come from the host.
    public override bool ReadsBack => true;

    public static Tensor Record(Tape tape, string name, Tensor value, ulong seed)
    {
        if (!Tap.IsOfPlaces(tape, name, value))
        {
            throw new UserException($"tap {name}: {value} is not of places, so that none can be drawn");
        }

        bool isPattern = Tap.IsPattern(name);
        Tensor byPlace = BroadcastOp.Contiguous(tape, isPattern ? value.Permute(0, 2, 1, 3) : value);
        int[] shape = byPlace.Layout.ToShape();
        (int rows, int time) = (shape[0], shape[1]);
        if (rows * time < 2 || (isPattern && rows < 2))
        {
            throw new UserException($"tap {name}: there is no other {(isPattern ? "row of the batch" : "place")} to draw from; give a longer or a second text");
        }

        var places = new int[rows * time];
        int shift = 0;
        for (int t = 0; t < time; t++)
        {
            shift = 1 + (int)Philox.Below((ulong)(rows > 1 ? rows : time) - 1, seed, rows > 1 ? (ulong)t : 0, 0);
            for (int b = 0; b < rows; b++)
            {
                places[(b * time) + t] = rows > 1 ? (((b + shift) % rows) * time) + t : (t + shift) % time;
            }
        }

        Tensor other = tape.Record(new OtherPlaces(places), [byPlace], byPlace.Layout);
        return isPattern ? BroadcastOp.Contiguous(tape, other.Permute(0, 2, 1, 3)) : other;
    }

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call)
    {
        View x = call.Input(0), y = call.Output(0), ids = call.Scratch.As(DType.Int32, Layout.Of(places.Length));
        Layout rows = Layout.Of(places.Length, checked((int)(x.Count / places.Length)));
        backend.Upload<int>(places, ids);
        backend.Gather(x.With(rows), ids, y.With(rows));
    }

    public override long ForwardScratchBytes(Node node) => (long)places.Length * sizeof(int);
}
