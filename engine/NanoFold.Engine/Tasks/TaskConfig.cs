using System.Text.Json.Serialization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Data;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Tasks;

/// <summary>What a model learns: text, or a task that is made up. A variant is a record of its settings with a line here.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = ConfigJson.Kind)]
[JsonDerivedType(typeof(TextConfig), "text")]
[JsonDerivedType(typeof(ConversationsConfig), "conversations")]
[JsonDerivedType(typeof(PreferenceConfig), "preference")]
[JsonDerivedType(typeof(ModularAdditionConfig), "modular-addition")]
[JsonDerivedType(typeof(RegressionConfig), "regression")]
[JsonDerivedType(typeof(MqarConfig), "mqar")]
[JsonDerivedType(typeof(RecallConfig), "recall")]
[JsonDerivedType(typeof(NoisyRecallConfig), "noisy-recall")]
[JsonDerivedType(typeof(FuzzyRecallConfig), "fuzzy-recall")]
[JsonDerivedType(typeof(SelectiveCopyConfig), "selective-copy")]
[JsonDerivedType(typeof(MemorizeConfig), "memorize")]
[JsonDerivedType(typeof(CompressConfig), "compress")]
[JsonDerivedType(typeof(InductionConfig), "induction")]
[JsonDerivedType(typeof(ParityConfig), "parity")]
[JsonDerivedType(typeof(RegularLanguagesConfig), "regular-languages")]
[JsonDerivedType(typeof(ReachabilityConfig), "reachability")]
[JsonDerivedType(typeof(PasskeyConfig), "passkey")]
[JsonDerivedType(typeof(WordChainConfig), "word-chain")]
[JsonDerivedType(typeof(TransitivityConfig), "transitivity")]
[JsonDerivedType(typeof(GrammarConfig), "grammar")]
[JsonDerivedType(typeof(FoldedConfig), "folded")]
[JsonDerivedType(typeof(MarkovConfig), "markov")]
[JsonDerivedType(typeof(HiddenMarkovConfig), "hidden-markov")]
[JsonDerivedType(typeof(PseudoRandomConfig), "pseudo-random")]
public abstract record TaskConfig
{
    /// <summary>The name in configurations.</summary>
    [JsonIgnore]
    public string Kind => Variant.KindOf(this);

    /// <summary>Whether it reads the sections <c>data</c> and <c>tokenizer</c>, and models of it can write.</summary>
    [JsonIgnore]
    public bool IsText => this is TextConfig or ConversationTaskConfig;

    /// <summary>The places of a row that it is published with, which <c>model.context</c> is where nobody says what; null for the preset's.</summary>
    [JsonIgnore]
    public virtual int? UsualContext => null;

    /// <summary>What is inconsistent in it, or with the model.</summary>
    /// <param name="model">Not resolved yet.</param>
    /// <param name="path">Its key.</param>
    public virtual IEnumerable<ConfigProblem> Validate(ModelConfig model, string path) => [];

    /// <summary>The model with what follows from the task, such as its vocabulary, where that is left open.</summary>
    public virtual ModelConfig Fit(ModelConfig model) => model;

    /// <summary>Why rows that are longer than those of training say nothing about a model, in a line; null where they do.</summary>
    /// <param name="trained">Places of a row of training.</param>
    public virtual string? WhyNotLonger(int trained) => null;

    /// <summary>Opens it.</summary>
    /// <exception cref="UserException">What it reads is missing or does not suit.</exception>
    public abstract LearningTask Open(TaskContext context);

    /// <summary>The same batches in shape, of anything: for plans and benchmarks, which read no files.</summary>
    public virtual LearningTask Sketch(TaskContext context) => Open(context);
}

/// <summary>What a task is opened for.</summary>
public sealed record TaskContext
{
    /// <summary>Resolved; its vocabulary may not be known yet.</summary>
    public required ModelConfig Model { get; init; }

    /// <summary>What decides what is drawn to train on (<c>train.seed</c>).</summary>
    public required ulong Seed { get; init; }

    /// <summary>The section <c>data</c>.</summary>
    public DataConfig Data { get; init; } = new();

    /// <summary>How text becomes tokens; asked for by what reads text only, for a file may have to be read.</summary>
    public Func<TokenizerSpec> Tokenizer { get; init; } = () => TokenizerSpec.Byte;

    /// <summary>The chat template of the model that training begins with, as it is written; null where it has none.</summary>
    public Func<string?> ChatTemplate { get; init; } = () => null;

    /// <summary>The template that a run which goes on has used, in place of all others; null where it begins.</summary>
    public string? KeptTemplate { get; init; }

    /// <summary>Micro-batches of a step (<c>train.accumulate</c>).</summary>
    public int Accumulate { get; init; } = 1;

    /// <summary>Told, in a line, what takes time; or null.</summary>
    public Action<string>? Note { get; init; }

    /// <summary>Ends what takes time.</summary>
    public CancellationToken Cancel { get; init; }
}
