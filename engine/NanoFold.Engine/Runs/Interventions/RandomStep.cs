using NanoFold.Engine.Autograd;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs.Interventions;

/// <summary>
/// The control of an edit: each row of the last dimension moves as far as the edit would move it, in a random direction; a row that the edit leaves stays, to the bit.
/// What a query gives keys that it does not see stays as well.
/// </summary>
/// <param name="edit">What it is the control of.</param>
/// <param name="seed">Of the directions.</param>
/// <param name="isOneDirection">All rows move along one direction, as a steered one does.</param>
internal sealed class RandomStep(ITapEditor edit, ulong seed, bool isOneDirection) : ITapEditor
{
    public string Pattern => edit.Pattern;

    public Tensor Edit(Tape tape, string name, Tensor value)
    {
        Tensor edited = edit.Edit(tape, name, value);
        ulong own = name.Aggregate(seed, (mixed, letter) => GaussianSource.Mix(mixed, letter));
        return tape.Record(new RandomStepOp(own, isOneDirection, Tap.IsPattern(name)), [BroadcastOp.Contiguous(tape, value), BroadcastOp.Contiguous(tape, edited)], value.Layout);
    }
}

/// <summary>
/// y = x + ‖e − x‖ u by rows of the last dimension, u random of length 1. x, e, y of one shape. Where x is −∞, or of weights both are 0, nothing is seen: u is 0. No gradient.
/// </summary>
internal sealed class RandomStepOp(ulong seed, bool isOneDirection, bool isOfKeys) : Op
{
    private readonly GaussianSource _source = new(seed);
    private float[] _value = [];
    private float[] _edited = [];
    private double[] _direction = [];

    public override string Name => "random step";

    // Draws go on from pass to pass.
    public override bool HasSideEffects => true;

    public override bool ReadsBack => true;

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call)
    {
        View x = call.Input(0);
        int count = checked((int)x.Count), width = x.Layout[-1];
        if (_value.Length != count)
        {
            (_value, _edited, _direction) = (new float[count], new float[count], new double[width]);
            Draw();
        }

        backend.Read(x, _value.AsSpan());
        backend.Read(call.Input(1), _edited.AsSpan());
        for (int start = 0; start < count; start += width)
        {
            Step(_value.AsSpan(start, width), _edited.AsSpan(start, width));
        }

        backend.Write(_value, call.Output(0));
    }

    private void Step(Span<float> value, ReadOnlySpan<float> edited)
    {
        double squares = 0;
        for (int i = 0; i < value.Length; i++)
        {
            double step = IsSeen(value[i], edited[i]) ? (double)edited[i] - value[i] : 0;
            squares += step * step;
        }

        if (squares == 0)
        {
            return;
        }

        if (!isOneDirection)
        {
            Draw();
        }

        double length = Math.Sqrt(squares);
        if (isOfKeys)
        {
            double seen = 0;
            for (int i = 0; i < value.Length; i++)
            {
                seen += IsSeen(value[i], edited[i]) ? _direction[i] * _direction[i] : 0;
            }

            length /= Math.Sqrt(seen);
        }

        for (int i = 0; i < value.Length; i++)
        {
            value[i] = IsSeen(value[i], edited[i]) ? (float)(value[i] + (length * _direction[i])) : value[i];
        }
    }

    private bool IsSeen(float value, float edited) => !isOfKeys || (!float.IsNegativeInfinity(value) && (value != 0 || edited != 0));

    private void Draw()
    {
        double squares = 0;
        for (int i = 0; i < _direction.Length; i++)
        {
            _direction[i] = _source.NextNormal();
            squares += _direction[i] * _direction[i];
        }

        double length = Math.Sqrt(squares);
        for (int i = 0; i < _direction.Length; i++)
        {
            _direction[i] /= length;
        }
    }
}
