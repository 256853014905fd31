using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Attention in which token t sees j with t − window &lt; j ≤ t, or j &lt; sinks (StreamingLLM). Where model.visibility shows tokens ahead, also those of them that are
/// closer than the window.
/// </summary>
public sealed record SlidingWindowConfig : AttentionFamilyConfig
{
    private const int UsualSinks = 4;

    public static SlidingWindowConfig Tiny => new() { Window = 4, Sinks = 2 };

    /// <summary>Keys back from and including the query's own; 0 for a quarter of the context.</summary>
    [Bounds(0, int.MaxValue, Auto = true)]
    public int Window { get; init; }

    /// <summary>First tokens that stay visible.</summary>
    [Bounds(0, int.MaxValue)]
    public int Sinks { get; init; } = UsualSinks;

    /// <summary>As of attention: a learned score for each head joins the softmax of every row and has no value (gpt-oss).</summary>
    public bool SinkLogits { get; init; }

    /// <inheritdoc/>
    protected override bool CanCapScores => true;

    /// <inheritdoc/>
    protected override bool SeesAll => false;

    /// <summary>A sink is the first position of a row, whatever stands there.</summary>
    public override MixerTraits Traits(ModelShape model) => base.Traits(model) with { IsShiftInvariant = Sinks == 0 };

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        foreach (ConfigProblem problem in base.Validate(model, path))
        {
            yield return problem;
        }

        if (Window > model.Context)
        {
            yield return new ConfigProblem($"{path}.window", $"{Window} is more than model.context = {model.Context}");
        }

        // The usual number is right for a shorter context too: it sees all.
        if (Sinks > Math.Max(UsualSinks, model.Context))
        {
            yield return new ConfigProblem($"{path}.sinks", $"{Sinks} is more than model.context = {model.Context}");
        }
    }

    /// <inheritdoc/>
    public override SlidingWindowConfig Resolve(ModelShape model) => this with { Window = WindowFor(model) };

    /// <inheritdoc/>
    public override long PairFlopsPerToken(ModelShape model) => FlopsOfKeys(model, Math.Min((long)WindowFor(model) + Sinks, model.Context));

    private int WindowFor(ModelShape model) => Window > 0 ? Window : Math.Max(1, model.Context / 4);

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) =>
        new SlidingWindow(builder, ShapeFor(builder.Model), WindowFor(builder.Model), Sinks, SinkLogits);
}

internal sealed class SlidingWindow(ModuleBuilder builder, HeadShape shape, int window, int sinks, bool sinkLogits) : AttentionMixer(builder, shape, sinkLogits)
{
    protected override int Window => window;

    protected override int Sinks => sinks;

    protected override bool IsPlain => true;
}
