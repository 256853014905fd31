using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Taps;

/// <summary>Which runs a reader reads, and of a value the places that pass its filter; memory is taken at the first run.</summary>
internal sealed class TapReads(string name, ITapReader reader)
{
    private float[] _values = [];
    private float[] _mask = [];
    private int[] _rows = [];
    private long _runs;

    public ITapReader Reader => reader;

    /// <summary>Whether this run is one that it reads.</summary>
    public bool IsDue() => _runs++ % Math.Max(1, reader.Every) == 0;

    /// <summary>Hands a value over: whole, or where there is a mask [B, T] the rows [R, ..] of a value [B, T, ..] that it marks.</summary>
    public void Read(Backend backend, in View value, in View mask)
    {
        if (mask.IsNone)
        {
            reader.Read(new TapValue(name, backend, value));
            return;
        }

        int places = checked((int)mask.Count), width = checked((int)(value.Count / places)), count = 0;
        if (_rows.Length < places)
        {
            (_rows, _mask, _values) = (new int[places], new float[places], new float[checked(places * width)]);
        }

        backend.Read(mask, _mask.AsSpan(0, places));
        backend.Read(value, _values.AsSpan(0, places * width));
        for (int i = 0; i < places; i++)
        {
            if (_mask[i] != 0)
            {
                _values.AsSpan(i * width, width).CopyTo(_values.AsSpan(count * width));
                _rows[count++] = i;
            }
        }

        if (count > 0)
        {
            Layout layout = Layout.Of([count, .. value.Layout.ToShape()[2..]]);
            reader.Read(new TapValue(name, View.OfShape(layout, value.Type), _rows.AsSpan(0, count), _values.AsSpan(0, count * width)));
        }
    }
}

/// <summary>Gives a value to a reader; it has no output.</summary>
internal sealed class ReadOp(TapReads reads) : Op
{
    public override string Name => "tap";

    public ITapReader Reader => reads.Reader;

    // Read once a run, however often the value is recomputed.
    public override bool HasSideEffects => true;

    public override bool ReadsBack => true;

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call)
    {
        if (reads.IsDue())
        {
            reads.Read(backend, call.Input(0), call.Input(1));
        }
    }
}

/// <summary>y = x; the gradient that comes back is given to a reader on its way: dx = dy.</summary>
internal sealed class ReadGradientOp(TapReads reads) : Op
{
    private const int X = 0, Mask = 1, Rows = 2;

    public override string Name => "tap gradient";

    public override bool ReadsBack => true;

    public override bool IsDifferentiable(int input) => input == X;

    public override bool PassesGradient(int input) => input == X;

    public override bool BackwardReadsInput(int input) => input != X;

    public override void Forward(Backend backend, OpCall call) => backend.Copy(call.Input(X), call.Output(0));

    public override void Backward(Backend backend, OpCall call)
    {
        View dy = call.OutputGradient(0);
        call.PassGradient(backend, X);
        if (!reads.IsDue())
        {
            return;
        }

        if (call.Input(Rows) is { IsNone: false } ids)
        {
            // [B, T, ..] to [R, ..].
            int[] shape = dy.Layout.ToShape();
            int places = shape[0] * shape[1], width = checked((int)(dy.Count / places));
            View some = call.Scratch.As(dy.Type, Layout.Of(checked((int)ids.Count), width));
            backend.Gather(dy.With(Layout.Of(places, width)), ids, some);
            dy = some.With(Layout.Of([(int)ids.Count, .. shape[2..]]));
        }

        reads.Read(backend, dy, call.Input(Mask));
    }

    public override long BackwardScratchBytes(Node node)
    {
        Tensor x = node.Inputs[X], rows = node.Inputs[Rows];
        return rows.IsNone ? 0 : rows.Layout.Count * (x.Layout.Count / ((long)x[0] * x[1])) * x.Type.Size();
    }
}
