using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Taps;

/// <summary>Puts a given value, for example one read from another run, in the place of a point; nothing flows back through it.</summary>
/// <param name="pattern">Names it patches.</param>
/// <param name="value">Of the point's shape, or with dimensions of length 1 that are repeated.</param>
public sealed class Patch(string pattern, View value) : ITapEditor
{
    public string Pattern { get; } = pattern;

    public Tensor Edit(Tape tape, string name, Tensor replaced) =>
        BroadcastOp.Record(tape, tape.External(name, value), replaced.Layout.ToShape());
}
