using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Modules;

/// <summary>Rotary positions over the first elements of each head, see <see cref="RopeOp"/>; base and pairing are the model's.</summary>
public sealed class Rotary
{
    private readonly Table _table;
    private readonly bool _interleaved;

    /// <param name="builder">Where the table is; modules of one width share it.</param>
    /// <param name="width">R, the elements that are turned: even, at most the head's.</param>
    public Rotary(ModuleBuilder builder, int width)
    {
        ModelShape model = builder.Model;
        _interleaved = model.RopeInterleaved;
        _table = builder.Table(
            FormattableString.Invariant($"rope {width} base {model.RopeBase:r}"),
            Layout.Of(model.Context, width),
            () => RopeTable.Compute(model.Context, width, model.RopeBase));
    }

    /// <summary>x [B, T, H, D], each head turned by its token's position, from its element <paramref name="start"/> on.</summary>
    public Tensor Forward(ForwardContext context, Tensor x, int start = 0) =>
        RopeOp.Record(context.Tape, x, context.Tape.Use(_table), context.Positions, _interleaved, start);
}
