using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Taps;

/// <summary>A vector stands in the place of every token's; nothing flows back through it.</summary>
public sealed record PatchConfig : EditConfig
{
    /// <summary>What stands there: a number for each element of the point's last dimension, or one for all.</summary>
    public IReadOnlyList<double> Value { get; init; } = [];

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(string path) =>
        GivenVector.Problem(Value, $"{path}.value") is { } problem ? [.. base.Validate(path), problem] : base.Validate(path);

    /// <inheritdoc/>
    public override ITapEditor Build(TableStore tables) => new Editor(Points, GivenVector.Of(tables, Value));

    private sealed class Editor(string pattern, Table vector) : ITapEditor
    {
        public string Pattern => pattern;

        public Tensor Edit(Tape tape, string name, Tensor replaced) => GivenVector.Record(tape, name, replaced, vector);
    }
}

/// <summary>Puts a given value, for example one read from another run, in the place of a point; nothing flows back through it.</summary>
/// <param name="pattern">Names it patches.</param>
/// <param name="value">Of the point's shape, or with dimensions of length 1 that are repeated.</param>
public sealed class Patch(string pattern, View value) : ITapEditor
{
    public string Pattern { get; } = pattern;

    public Tensor Edit(Tape tape, string name, Tensor replaced) =>
        BroadcastOp.Record(tape, tape.External(name, value), replaced.Layout.ToShape());
}
