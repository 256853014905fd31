using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Ops;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// Pairs of a preferred and a rejected answer (<c>data.path</c>, JSON lines with prompt, chosen and rejected): the model is to prefer as they say, measured against itself as it was
/// when the run began (DPO and its relatives). What it gave the answers then is computed once and kept with the run.
/// </summary>
public sealed record PreferenceConfig : ConversationTaskConfig
{
    /// <summary>How a margin becomes a loss.</summary>
    public PreferenceLoss Loss { get; init; }

    /// <summary>β: rewards are β · (ln p − ln p of the reference), summed over the tokens of an answer.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double Beta { get; init; } = 0.1;

    /// <summary>The share of pairs that are taken to be the wrong way round; with the loss sigmoid only (cDPO).</summary>
    [Bounds(0, 0.5, BelowMaximum = true)]
    public double LabelSmoothing { get; init; }

    /// <summary>Log-probabilities are means over the tokens of an answer rather than their sums, as the library trl has it for ipo.</summary>
    public bool PerToken { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelConfig model, string path)
    {
        foreach (ConfigProblem problem in base.Validate(model, path))
        {
            yield return problem;
        }

        if (LabelSmoothing > 0 && Loss != PreferenceLoss.Sigmoid)
        {
            yield return new ConfigProblem($"{path}.labelSmoothing", "belongs to the loss sigmoid; leave it out");
        }
    }

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => PreferenceTask.Open(this, context);

    /// <inheritdoc/>
    public override LearningTask Sketch(TaskContext context) => new PreferenceSketch(this, context);
}
