using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Kernels.Calls.Time;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// A gated recurrent unit (arXiv 1406.1078, gates r, z, n as in PyTorch): h_t = GRU(W_in x_t + b_in, W_h h_{t−1} + b_h), y = W_o h. Its gates always have biases.
/// </summary>
public sealed record GruConfig : MixerConfig
{
    public static GruConfig Tiny => new();

    /// <summary>N, the width of the state; 0 for model.width.</summary>
    [Bounds(0, 1 << 16, Auto = true)]
    public int State { get; init; }

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => new() { SlidesOn = true };

    /// <inheritdoc/>
    public override GruConfig Resolve(ModelShape model) => this with { State = State > 0 ? State : model.Width };

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new RecurrentMixer<Gru>(builder, Resolve(builder.Model).State, inputBias: true);
}
