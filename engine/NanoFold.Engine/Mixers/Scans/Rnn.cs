using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Kernels.Calls.Time;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// The plain recurrent network of Elman (Finding structure in time, 1990): h_t = tanh(W_in x_t + W_h h_{t−1} + b), y = W_o h. It always has that bias.
/// </summary>
public sealed record RnnConfig : MixerConfig
{
    public static RnnConfig Tiny => new();

    /// <summary>N, the width of the state; 0 for model.width.</summary>
    [Bounds(0, 1 << 16, Auto = true)]
    public int State { get; init; }

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => new() { SlidesOn = true };

    /// <inheritdoc/>
    public override RnnConfig Resolve(ModelShape model) => this with { State = State > 0 ? State : model.Width };

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new RecurrentMixer<Rnn>(builder, Resolve(builder.Model).State, inputBias: false);
}
