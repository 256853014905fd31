using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// <see cref="MambaConfig"/> without selection: the states of HiPPO-LegS, whose matrices A and B are fixed (see <see cref="LegendreScanOp"/>); each channel learns its
/// step, <c>dt_bias</c> before the softplus, and how its output is read from the state, <c>C</c>.
/// </summary>
internal sealed class LegendreMixer(ModuleBuilder builder, MambaConfig config) : StateSpaceMixer(builder.In("self_attn"), config)
{
    private readonly Parameter _step =
        builder.In("self_attn").Add("dt_bias", Layout.Of(config.Expand * builder.Model.Width), ParameterRole.Vector, Initializer.StepOfLogUniform(1e-3, 0.1));

    // Of each channel its own, no map between features: not for Muon.
    private readonly Parameter _read =
        builder.In("self_attn").Add("C", Layout.Of(config.Expand * builder.Model.Width, config.State), ParameterRole.Head, Initialization.Input(config.State));

    protected override Tensor Scan(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        Tensor step = tape.Use(_step), read = tape.Use(_read), skip = tape.Use(Skip);
        Tensor scanned = context.Cache is { } cache
            ? LegendreScanOp.Decode(tape, x, step, read, skip, cache.Use(tape, Builder.Layer, "state"), context.Counts, context.Continues())
            : LegendreScanOp.Record(tape, x, step, read, skip, context.Continues());
        ShowState(context, x, (state, counts) => LegendreScanOp.Decode(tape, x, step, read, skip, state, counts, context.Continues()));
        return scanned;
    }
}
