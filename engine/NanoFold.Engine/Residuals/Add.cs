using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Residuals;

/// <summary>x + y.</summary>
public sealed record AddConfig : ResidualConfig
{
    public static AddConfig Tiny => new();

    /// <inheritdoc/>
    public override Residual Build(ModuleBuilder builder) => new Add();
}

internal sealed class Add : Residual
{
    public override Tensor Join(ForwardContext context, Tensor x, Tensor y) => AddOp.RecordOntoLast(context.Tape, x, y);
}
