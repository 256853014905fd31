using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Taps;

/// <summary>Points are 0; nothing flows back through them.</summary>
public sealed record AblateConfig : EditConfig
{
    /// <inheritdoc/>
    public override ITapEditor Build(TableStore tables) => new Ablate(Points);
}

/// <summary>Sets points to 0; nothing flows back through them.</summary>
public sealed class Ablate(string pattern) : ITapEditor
{
    public string Pattern { get; } = pattern;

    public Tensor Edit(Tape tape, string name, Tensor value) => tape.Record(new ZeroOp(), [], value.Layout);

    private sealed class ZeroOp : Op
    {
        public override string Name => "ablate";

        public override void Forward(Backend backend, OpCall call) => backend.Fill(call.Output(0), 0);
    }
}
