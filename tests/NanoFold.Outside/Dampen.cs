using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace Outside;

/// <summary>Points are multiplied by a factor; gradients pass.</summary>
public sealed record DampenConfig : EditConfig
{
    /// <summary>What is left of the value.</summary>
    [Bounds(0, 1)]
    public double Factor { get; init; } = 0.5;

    /// <inheritdoc/>
    public override ITapEditor Build(TableStore tables) => new Editor(Points, Factor);

    private sealed class Editor(string pattern, double factor) : ITapEditor
    {
        public string Pattern => pattern;

        public Tensor Edit(Tape tape, string name, Tensor value) => ScaleOp.Record(tape, value, factor);
    }
}
