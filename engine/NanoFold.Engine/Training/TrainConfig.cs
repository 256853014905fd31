using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Training;

/// <summary>The section <c>train</c>. What is null follows from the preset and the optimizer.</summary>
public sealed record TrainConfig
{
    /// <summary>What <see cref="Steps"/> is where nothing but the time ends a run.</summary>
    public const int Unbounded = 1_000_000_000;

    /// <summary>Updates of the parameters, at most; without it as many as <c>train.tokens</c>, <c>train.flops</c> or <c>train.minutes</c> allow, where one of those is set.</summary>
    [Bounds(1, int.MaxValue)]
    [Resumable]
    public int Steps { get; init; } = 2000;

    /// <summary>Sequences per micro-batch; 0 for as many as memory and speed suggest.</summary>
    [Bounds(0, 1 << 20, Auto = true)]
    public int Batch { get; init; } = 12;

    /// <summary>Micro-batches per step, of all processes together.</summary>
    [Bounds(1, 1 << 20)]
    public int Accumulate { get; init; } = 1;

    /// <summary>
    /// A run (its best checkpoint), a checkpoint or a folder with a model, whose weights a new run begins with; its model and tokenizer are taken too. Null
    /// to draw weights by the seed.
    /// </summary>
    public string? Init { get; init; }

    /// <summary>The SHA-256 of those weights, found when the run begins; other weights are refused where it is given.</summary>
    public string? InitHash { get; init; }

    /// <summary>
    /// The parameters that are trained, by their names in model.safetensors, with * and ?: <c>["model.layers.3.*", "lm_head.*"]</c>. The others keep the values
    /// that they begin with, and have neither gradients nor optimizer state. Null for all.
    /// </summary>
    public IReadOnlyList<string>? Trainable { get; init; }

    /// <summary>
    /// Parameters that are not trained, named in the same way: of all, or of those of <c>train.trainable</c>. Null for none.
    /// </summary>
    public IReadOnlyList<string>? Frozen { get; init; }

    /// <summary><see cref="Trainable"/> without <see cref="Frozen"/>, for <see cref="Tensors.ParameterStore.Allocate(Tensors.IParameterSource?, NameGlobs?)"/>.</summary>
    public NameGlobs? Trains => Trainable is null && Frozen is null ? null
        : new NameGlobs("train.trainable", Trainable ?? ["*"]) { Except = Frozen is null ? null : new NameGlobs("train.frozen", Frozen) };

    /// <summary><see cref="Until"/> as it was read; null where there is none.</summary>
    public ScoreGoal? Goal => Until is null ? null : ScoreGoal.Parse(Until);

    /// <summary>
    /// How gradients become updates. Keys that stood in <c>train</c> before version 4, such as <c>train.beta1</c>, may be written there as ever.
    /// </summary>
    public OptimizerConfig Optimizer { get; init; } = new MuonConfig();

    /// <summary>The peak, for every parameter or, with Muon, for those that Muon does not update; null for what suits preset and optimizer.</summary>
    [Bounds(0)]
    public double? LearningRate { get; init; }

    /// <summary>Where the schedule ends, as a share of the peak.</summary>
    [Bounds(0, 1)]
    public double FinalLearningRate { get; init; }

    /// <summary>Steps over which the learning rate rises to its peak; null for what suits the preset, at most a tenth of the steps. At most half of steps that were fitted to <c>train.minutes</c>.</summary>
    [Bounds(0, int.MaxValue)]
    public int? Warmup { get; init; }

    /// <summary>The learning rate after the warm-up, as a share of its peak.</summary>
    public ScheduleKind Schedule { get; init; } = ScheduleKind.Linear;

    /// <summary>The share of the steps in which <see cref="ScheduleKind.Wsd"/> decays.</summary>
    [Bounds(0, 1)]
    public double DecayFraction { get; init; } = 0.2;

    /// <summary>The decay of matrices and head, of those that Muon does not update; null for what suits the optimizer.</summary>
    [Bounds(0)]
    public double? WeightDecay { get; init; }

    /// <summary>The largest gradient norm; 0 for no clipping.</summary>
    [Bounds(0)]
    public double Clip { get; init; } = 1.0;

    /// <summary>
    /// The weight of KL(model ‖ initial model), the mean over the places with a target in nats, beside the loss: what is trained should not drift from the model that
    /// <c>train.init</c> names. metrics.jsonl has it as kl, and with its weight as klLoss. 0 for none.
    /// </summary>
    [Bounds(0)]
    public double KlWeight { get; init; }

    /// <summary>Of initial values, batches, dropout and samples: the same seed gives the same bits.</summary>
    [Bounds(0, long.MaxValue)]
    public long Seed { get; init; } = 1;

    /// <summary>Ends training within so many minutes, the plan fitted to them; with <c>train.steps</c> at whichever comes first. 0 for no limit.</summary>
    [Bounds(0)]
    public double Minutes { get; init; }

    /// <summary>Ends training after so many tokens, in whole steps of batch · accumulate · context; 0 for no limit. With other limits at whichever comes first.</summary>
    [Bounds(0, long.MaxValue)]
    [Resumable]
    public long Tokens { get; init; }

    /// <summary>Ends training after so many FLOPs, tokens times the FLOPs per token that <c>plan</c> shows; 0 for no limit. With other limits at whichever comes first.</summary>
    [Bounds(0)]
    [Resumable]
    public double Flops { get; init; }

    /// <summary>Interrupts training after this step, counted from the start of the run; 0 never. Not saved with a run.</summary>
    [Bounds(0, int.MaxValue)]
    [Resumable]
    public int StopAfter { get; init; }

    /// <summary>
    /// Ends training at the first evaluation that reaches it, with a score that the task has: <c>accuracy>=0.99</c>, <c>loss&lt;=1.5</c> or <c>bitsPerByte&lt;=2</c>, on the
    /// rows of every evaluation. Null to go on to the end. In a shell it needs quotes.
    /// </summary>
    [Resumable]
    public string? Until { get; init; }

    /// <summary>Steps between evaluations; 0 for ten in a run. The last step is always evaluated.</summary>
    [Bounds(0, int.MaxValue, Auto = true)]
    public int EvaluateEvery { get; init; }

    /// <summary>
    /// Windows of the validation text, or rows that another task holds back, evenly spaced, per evaluation; 0 for all, null for 256, or fewer where evaluations would take long beside the steps between
    /// them. At the end of a run all are evaluated besides, unless that would.
    /// </summary>
    [Bounds(0, int.MaxValue)]
    public int? EvaluationWindows { get; init; }

    /// <summary>
    /// Writes evaluation.json at the end of a run: the loss by the place in the row, by how frequent a token is, by the part of the document, and on longer rows; of a task also by
    /// what it tells apart. Takes at most an eighth of the tokens that were trained on, for each length of row.
    /// </summary>
    [Resumable]
    public bool DetailedEvaluation { get; init; }

    /// <summary>Steps between samples; 0 for none.</summary>
    [Bounds(0, int.MaxValue)]
    [Resumable]
    public int SampleEvery { get; init; }

    /// <summary>The text that a sample continues.</summary>
    [Resumable]
    public string SamplePrompt { get; init; } = "";

    /// <summary>Steps between checkpoints; 0 for one per evaluation.</summary>
    [Bounds(0, int.MaxValue, Auto = true)]
    public int CheckpointEvery { get; init; }

    /// <summary>Minutes after which there is a checkpoint in any case; 0 for checkpoints by steps only.</summary>
    [Bounds(0)]
    [Resumable]
    public double CheckpointMinutes { get; init; }

    /// <summary>Writes a checkpoint of step 0 too, before anything is trained; it stays.</summary>
    public bool CheckpointAtStart { get; init; }

    /// <summary>Checkpoints that stay, besides the best one.</summary>
    [Bounds(1, int.MaxValue)]
    public int KeepCheckpoints { get; init; } = 2;

    /// <summary>What activations are computed in; tf32 and fp16 need a GPU.</summary>
    public PrecisionKind Precision { get; init; }

    /// <summary>Recomputes activations in the backward pass: less memory, more time.</summary>
    public bool Recompute { get; init; }

    /// <summary>Steps between lines of the log.</summary>
    [Bounds(1, int.MaxValue)]
    [Resumable]
    public int LogEvery { get; init; } = 1;

    /// <summary>Also writes what goes to metrics.jsonl, geometry.jsonl and samples.jsonl to an event file beside them that TensorBoard reads: <c>tensorboard --logdir runs</c>.</summary>
    [Resumable]
    public bool Tensorboard { get; init; }

    /// <summary>What is wrong with it.</summary>
    public IEnumerable<ConfigProblem> Validate(string path)
    {
        if (Init is { Length: 0 })
        {
            yield return new ConfigProblem($"{path}.init", "is empty; use null to draw weights by the seed");
        }

        if (KlWeight > 0 && Init is null)
        {
            yield return new ConfigProblem($"{path}.klWeight", "is of the model that a run begins with; name it with --init (train.init)");
        }

        if (InitHash is not null && Init is null)
        {
            yield return new ConfigProblem($"{path}.initHash", "is of weights to begin with; name them in train.init");
        }

        if (Until is not null && Goal is null)
        {
            yield return new ConfigProblem($"{path}.until", $"\"{Until}\" is no goal; expected a score, >= or <=, and a number: \"accuracy>=0.99\"");
        }

        if (Trainable is { Count: 0 })
        {
            yield return new ConfigProblem($"{path}.trainable", "is empty, so that nothing would be trained; use null to train all");
        }

        if (Frozen is { Count: 0 })
        {
            yield return new ConfigProblem($"{path}.frozen", "is empty; use null to freeze nothing");
        }

        if (Warmup > Steps)
        {
            yield return new ConfigProblem($"{path}.warmup", $"{Warmup} is more than train.steps = {Steps}");
        }
        else if (Schedule == ScheduleKind.Wsd && (Warmup ?? 0) + (DecayFraction * Steps) > Steps)
        {
            yield return new ConfigProblem($"{path}.decayFraction", FormattableString.Invariant(
                $"{DecayFraction} of {Steps} steps and {Warmup} of warm-up are more than train.steps"));
        }

        foreach (ConfigProblem problem in Optimizer.Validate($"{path}.optimizer"))
        {
            yield return problem;
        }
    }

    /// <summary>
    /// Fills in everything that follows from the rest, with the defaults of <paramref name="preset"/> for this optimizer. What depends on the number of steps stays
    /// open where time, tokens or FLOPs decide about that; <see cref="Planned"/> fills it in.
    /// </summary>
    public TrainConfig Resolve(string preset)
    {
        TrainConfig resolved = ResolveRates(preset);
        return IsOpen ? resolved : resolved.Planned(preset, Steps);
    }

    /// <summary>As it is for a run of so many steps.</summary>
    /// <param name="preset">Whose warm-up is taken where it is open.</param>
    /// <param name="steps">Steps of the run.</param>
    /// <param name="evaluateEvery">Steps between evaluations, where that is open; 0 for ten in the run.</param>
    public TrainConfig Planned(string preset, int steps, int evaluateEvery = 0)
    {
        int every = !FollowsPlan ? EvaluateEvery : evaluateEvery > 0 ? evaluateEvery : (int)Math.Max(1, Math.Round(steps / 10.0, MidpointRounding.AwayFromZero));
        return this with
        {
            Steps = steps,
            // A plan that was fitted to a time may have fewer steps than a warm-up that was given for more.
            Warmup = Warmup is not { } given ? Math.Min(Optimizer.Defaults(preset).Warmup, steps / 10)
                : evaluateEvery > 0 ? Math.Min(given, steps / 2)
                : given,
            EvaluateEvery = every,
            CheckpointEvery = CheckpointEvery > 0 && !(FollowsPlan && CheckpointEvery == EvaluateEvery) ? CheckpointEvery : every,
        };
    }

    /// <summary>Whether more than <see cref="Steps"/> decides about the number of steps, which a run finds out when it begins or on its way.</summary>
    internal bool IsOpen => Minutes > 0 || Tokens > 0 || Flops > 0;

    /// <summary>Whether the number of steps between evaluations is left to the plan; in timed runs of older versions it stands as a tenth of the unbounded steps.</summary>
    internal bool FollowsPlan => EvaluateEvery == 0 || (Steps == Unbounded && EvaluateEvery == Unbounded / 10);

    private TrainConfig ResolveRates(string preset)
    {
        OptimizerDefaults defaults = Optimizer.Defaults(preset);
        return this with
        {
            Optimizer = Optimizer.Resolve(preset),
            LearningRate = LearningRate ?? defaults.LearningRate,
            WeightDecay = WeightDecay ?? defaults.WeightDecay,
        };
    }
}
