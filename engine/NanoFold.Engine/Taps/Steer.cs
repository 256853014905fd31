using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Taps;

/// <summary>A vector is added at every token; gradients pass.</summary>
public sealed record SteerConfig : EditConfig
{
    /// <summary>What is added: a number for each element of the point's last dimension, or one for all.</summary>
    public IReadOnlyList<double> Direction { get; init; } = [];

    /// <summary>A factor on it.</summary>
    public double Strength { get; init; } = 1;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(string path) =>
        GivenVector.Problem(Direction, $"{path}.direction", Strength) is { } problem ? [.. base.Validate(path), problem] : base.Validate(path);

    /// <inheritdoc/>
    public override ITapEditor Build(TableStore tables) => new Editor(Points, GivenVector.Of(tables, [.. Direction.Select(d => Strength * d)]));

    private sealed class Editor(string pattern, Table vector) : ITapEditor
    {
        public string Pattern => pattern;

        public Tensor Edit(Tape tape, string name, Tensor value) => AddOp.Record(tape, value, GivenVector.Record(tape, name, value, vector));
    }
}

/// <summary>Adds a given vector to a point; gradients pass.</summary>
/// <param name="pattern">Names it steers.</param>
/// <param name="direction">Of the point's shape, or with dimensions of length 1 that are repeated.</param>
public sealed class Steer(string pattern, View direction) : ITapEditor
{
    public string Pattern { get; } = pattern;

    public Tensor Edit(Tape tape, string name, Tensor value) => AddOp.Record(
        tape, value, BroadcastOp.Record(tape, tape.External(name, direction), value.Layout.ToShape()));
}
