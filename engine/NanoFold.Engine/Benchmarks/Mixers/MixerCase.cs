using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Benchmarks.Mixers;

/// <summary>One layer's mixer on its own, x [B, T, C] → y [B, T, C].</summary>
/// <param name="Model">Resolved; its mixer is what is timed, its context is T.</param>
/// <param name="Batch">B.</param>
public sealed record MixerCase(ModelConfig Model, int Batch)
{
    /// <summary>The mixer's kind.</summary>
    public string Kind => Model.Mixer.Kind;

    /// <summary>T.</summary>
    public int Context => Model.Context;

    /// <summary>Elements of x.</summary>
    public long Elements => (long)Batch * Context * Model.Width;

    /// <summary>FLOPs of mixing, forward and backward, without the linear layers: of the pairs that a mask leaves; what is chosen as data counts as much as may be chosen.</summary>
    public double Flops
    {
        get
        {
            using var dry = new DryRun();
            using var run = new MixerRun(this, dry.Backend);
            return dry.Of(run.Training).Where(call => !MixerRun.IsLinear(call.Step)).Sum(call => call.Cost.Flops);
        }
    }
}
