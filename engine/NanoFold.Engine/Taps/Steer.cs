using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Taps;

/// <summary>Adds a given vector to a point; gradients pass.</summary>
/// <param name="pattern">Names it steers.</param>
/// <param name="direction">Of the point's shape, or with dimensions of length 1 that are repeated.</param>
public sealed class Steer(string pattern, View direction) : ITapEditor
{
    public string Pattern { get; } = pattern;

    public Tensor Edit(Tape tape, string name, Tensor value) => AddOp.Record(
        tape, value, BroadcastOp.Record(tape, tape.External(name, direction), value.Layout.ToShape()));
}
