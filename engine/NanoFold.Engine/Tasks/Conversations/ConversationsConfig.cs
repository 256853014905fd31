using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Tasks;

/// <summary>What is said in conversations: files of JSON lines (<c>data.path</c>), written as the model's chat template says; only the answers' tokens count.</summary>
public sealed record ConversationsConfig : ConversationTaskConfig
{
    /// <summary>Only what the assistant says counts, with what ends its answers; otherwise every token.</summary>
    public bool AnswersOnly { get; init; } = true;

    /// <summary>Rows hold as many conversations as fit, of which none sees another; otherwise one each.</summary>
    public bool Pack { get; init; } = true;

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => ReplayTask.Of(ConversationTask.Open(this, context), context);
}

/// <summary>A task whose rows are conversations.</summary>
public abstract record ConversationTaskConfig : TaskConfig
{
    /// <summary>
    /// How conversations are written: a file with a template in the language of Jinja, or a folder that has one. Null for that of the model to begin with, or else a plain one.
    /// </summary>
    public string? Template { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelConfig model, string path)
    {
        foreach (ConfigProblem problem in TextConfig.OfText(model))
        {
            yield return problem;
        }

        if (Template is { Length: 0 })
        {
            yield return new ConfigProblem($"{path}.template", "is empty; use null for the model's own");
        }
    }

    /// <inheritdoc/>
    public override string WhyNotLonger(int trained) => "conversations are laid into rows of the context";

    /// <inheritdoc/>
    public override LearningTask Sketch(TaskContext context) => new RandomTokens(Math.Max(1, context.Model.Vocab), context.Seed, hasDocuments: true);
}
