using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>
/// What a kind of mixer must compute, in plain loops over doubles, one sequence at a time. Found by the type of its settings: a kind is tested by all
/// suites once it has a file in this folder.
/// </summary>
internal abstract class MixerReference
{
    private static readonly Lazy<Dictionary<Type, MixerReference>> s_all = new(() => ReferenceTypes.All<MixerReference>().ToDictionary(r => r.Config));

    /// <summary>The type of the settings that it is the reference of.</summary>
    public abstract Type Config { get; }

    public static MixerReference Of(MixerConfig mixer) => Of(mixer.GetType());

    public static MixerReference Of(Type config) => s_all.Value.TryGetValue(config, out MixerReference? found)
        ? found
        : throw new KeyNotFoundException($"{config.Name}: has no reference; add one to Mixers/References");

    public static bool Exists(Type config) => s_all.Value.ContainsKey(config);

    /// <summary>What a normed sequence x [T][C] adds to the stream, [T][C].</summary>
    public abstract double[][] Forward(MixerConfig mixer, NaiveLayer layer, double[][] x);

    /// <summary>The weights [H][T][T] where <see cref="MixerTraits.PatternHeads"/> says that there are some.</summary>
    public virtual double[][][] Pattern(MixerConfig mixer, NaiveLayer layer, double[][] x) => throw new NotSupportedException($"{mixer.Kind}: has no pattern");

    /// <summary>Whether <c>attn.hook_z</c> is the pattern times <c>attn.hook_v</c>, with nothing in between.</summary>
    public virtual bool IsPatternTimesValues(MixerConfig mixer) => true;

    /// <summary>Lengths of the letters in the shapes of its points that are its own, such as heads; null for the model's.</summary>
    public virtual int? Length(string letter, MixerConfig mixer, ModelConfig model) => null;

    /// <summary>How many times as much as in others a rounding changes its values: where what is small is divided by its own size.</summary>
    public virtual double Sensitivity => 1;

    /// <summary>The largest <see cref="Sensitivity"/> of a model's layers.</summary>
    public static double SensitivityOf(ModelConfig model) => model.LayerConfigs().Max(layer => Of(layer.Mixer).Sensitivity);

    /// <summary>Whether its loss has parts that gradients take for constants, so that they are not those of differences.</summary>
    public virtual bool HasConstants(MixerConfig mixer) => false;

    /// <summary>Models that show what is special about it, made of a small one; names begin with its kind.</summary>
    public virtual IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) => [];

    /// <summary>Which of its models a simulated GPU has time for whenever tests run: enough to reach all its kernels.</summary>
    public virtual IReadOnlyList<string> Quick(string kind) => [$"{kind} Rope"];

    /// <summary>Which of its models a simulated GPU has time to decode with, to replay and to tap; none where another kind's say as much.</summary>
    public virtual IReadOnlyList<string> QuickToDecode(string kind) => [$"{kind} Rope"];
}

/// <summary>The reference of one type of settings.</summary>
internal abstract class MixerReference<TConfig> : MixerReference
    where TConfig : MixerConfig
{
    public override Type Config => typeof(TConfig);

    public sealed override double[][] Forward(MixerConfig mixer, NaiveLayer layer, double[][] x) => Forward((TConfig)mixer, layer, x);

    protected abstract double[][] Forward(TConfig mixer, NaiveLayer layer, double[][] x);
}
