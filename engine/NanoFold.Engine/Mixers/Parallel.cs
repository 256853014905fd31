using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Hybrid heads (Hymba, arXiv 2411.13676): several mixers beside each other read the same tokens, y = Σ_i g_i ⊙ RMSNorm(y_i) over what they make, with a gain for each
/// channel of each that starts as a share of one mixer's usual result. Here each mixer has its output projection before the norm. Without norms y = Σ_i o_i · mixer_i(a_i · x)
/// with the factors o and a (Falcon-H1).
/// </summary>
public sealed record ParallelConfig : MixerConfig
{
    public static ParallelConfig Tiny => new() { Mixers = [SlidingWindowConfig.Tiny, GruConfig.Tiny] };

    /// <summary>The mixers, at least two: kinds, or records with their settings.</summary>
    public IReadOnlyList<MixerConfig> Mixers { get; init; } = [new AttentionConfig(), new Mamba2Config()];

    /// <summary>What each mixer makes is normed and has gains. If false, it is added as it is.</summary>
    public bool Normed { get; init; } = true;

    /// <summary>A factor for each mixer on what it reads; empty for none.</summary>
    public IReadOnlyList<double> InputScales { get; init; } = [];

    /// <summary>A factor for each mixer on what it makes, where that is not normed; empty for none.</summary>
    public IReadOnlyList<double> OutputScales { get; init; } = [];

    public bool Equals(ParallelConfig? other) => other is not null && Normed == other.Normed
        && Mixers.SequenceEqual(other.Mixers) && InputScales.SequenceEqual(other.InputScales) && OutputScales.SequenceEqual(other.OutputScales);

    public override int GetHashCode() => Mixers.Aggregate(HashCode.Combine(Normed, InputScales.Count, OutputScales.Count), HashCode.Combine);

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        if (Mixers.Count < 2)
        {
            yield return new ConfigProblem($"{path}.mixers", $"has {Mixers.Count} mixers; two are needed at least, or the one itself as the mixer");
        }

        foreach ((string name, IReadOnlyList<double> scales) in new[] { ("inputScales", InputScales), ("outputScales", OutputScales) })
        {
            if (scales.Count > 0 && scales.Count != Mixers.Count)
            {
                yield return new ConfigProblem($"{path}.{name}", $"has {scales.Count} factors for {Mixers.Count} mixers; one for each is needed, or none");
            }
        }

        if (Normed && OutputScales.Count > 0)
        {
            yield return new ConfigProblem($"{path}.outputScales", $"has no effect where {path}.normed is true: the norm divides a factor out again");
        }

        for (int i = 0; i < Mixers.Count; i++)
        {
            if (Mixers[i].Traits(model).Alone is { } reason)
            {
                yield return new ConfigProblem($"{path}.mixers.{i}", $"\"{Mixers[i].Kind}\" cannot stand beside others in a layer: {reason}");
            }

            foreach (ConfigProblem problem in Mixers[i].Validate(model, $"{path}.mixers.{i}"))
            {
                yield return problem;
            }
        }
    }

    /// <inheritdoc/>
    public override ParallelConfig Resolve(ModelShape model) => this with { Mixers = [.. Mixers.Select(mixer => mixer.Resolve(model))] };

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model)
    {
        MixerTraits[] all = [.. Mixers.Select(mixer => mixer.Traits(model))];
        return new()
        {
            FollowsVisibility = all.All(traits => traits.FollowsVisibility),
            IsShiftInvariant = all.All(traits => traits.IsShiftInvariant),
            SlidesOn = all.All(traits => traits.SlidesOn),
            Chooses = all.Any(traits => traits.Chooses),
            WarmUpSteps = all.Max(traits => traits.WarmUpSteps),
            RefusesScoreCap = all.Any(traits => traits.RefusesScoreCap),
            HasHeads = all.Any(traits => traits.HasHeads),
            Alone = "it is several already; name all of them in one list",
        };
    }

    /// <inheritdoc/>
    public override long PairFlopsPerToken(ModelShape model) => Mixers.Sum(mixer => mixer.PairFlopsPerToken(model));

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new ParallelMixer(builder, this);
}

internal sealed class ParallelMixer : Mixer
{
    private readonly Mixer[] _mixers;
    private readonly Parameter[]? _gains;
    private readonly ParallelConfig _config;
    private readonly double _epsilon;

    public ParallelMixer(ModuleBuilder builder, ParallelConfig config)
    {
        _config = config;
        IReadOnlyList<MixerConfig> mixers = config.Mixers;
        ModelShape model = builder.Model;
        _epsilon = model.NormEpsilon;
        ModuleBuilder own = builder.In("self_attn");
        // The norm takes the size of a mixer's result out: what keeps a block small at first is the gain, and a mixer of zeros would never learn.
        ModelShape ofMember = config.Normed ? model with { Initialization = InitializationKind.Scaled } : model;
        Initializer gain = model.Initialization == InitializationKind.Zero
            ? Initializer.Zero
            : new Initializer(InitializerKind.Constant, 1 / (mixers.Count * Math.Sqrt(2 * model.Layers)));
        _mixers = new Mixer[mixers.Count];
        _gains = config.Normed ? new Parameter[mixers.Count] : null;
        for (int i = 0; i < mixers.Count; i++)
        {
            _mixers[i] = mixers[i].Build(builder.Renaming("self_attn", $"self_attn.mixers.{i}", ofMember));
            if (_gains is not null)
            {
                _gains[i] = own.Add($"norms.{i}.weight", Layout.Of(model.Width), ParameterRole.Vector, gain);
            }
        }
    }

    public override IReadOnlyList<TapPoint> TapPoints =>
        [.. _mixers.SelectMany((mixer, i) => mixer.TapPoints.Append(new TapPoint("hook_out", "B T C")).Select(point => point with { Name = $"{Slots(i)}{point.Name}" }))];

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        Tensor y = default;
        for (int i = 0; i < _mixers.Length; i++)
        {
            using Tape.Scope scope = tape.Enter($"mixers.{i}");
            Tensor made = Tap.At(tape, "hook_out", _mixers[i].Forward(context.Within(Slots(i)), Scaled(tape, x, _config.InputScales, i)));
            made = _gains is null ? Scaled(tape, made, _config.OutputScales, i) : RmsNormOp.Record(tape, made, tape.Use(_gains[i]), _epsilon);
            y = i == 0 ? made : AddOp.Record(tape, y, made);
        }

        return y;
    }

    public override IEnumerable<StateSlot> State(int batch, int chunk) =>
        _mixers.SelectMany((mixer, i) => mixer.State(batch, chunk).Select(slot => slot with { Name = Slots(i) + slot.Name }));

    private static Tensor Scaled(Tape tape, Tensor x, IReadOnlyList<double> scales, int member) =>
        scales.Count == 0 || scales[member] == 1 ? x : ScaleOp.Record(tape, x, scales[member]);

    private static string Slots(int member) => $"mixers.{member}.";
}
