using NanoFold.Engine.Configuration;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Tasks;

/// <summary>The next token of a text: the sections <c>data</c> and <c>tokenizer</c> say of which.</summary>
public sealed record TextConfig : TaskConfig
{
    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelConfig model, string path) => OfText(model);

    /// <summary>Why a model is none of text.</summary>
    internal static IEnumerable<ConfigProblem> OfText(ModelConfig model)
    {
        if (model.Inputs > 0 || model.Outputs > 0)
        {
            yield return new ConfigProblem(model.Inputs > 0 ? "model.inputs" : "model.outputs", "text is of tokens; leave it out");
        }

        if (model.Visibility != VisibilityKind.Causal)
        {
            yield return new ConfigProblem("model.visibility", $"\"{model.Visibility.ToString().ToLowerInvariant()}\" shows tokens what they are to predict, the next one; text needs \"causal\"");
        }
    }

    /// <summary>The text as tokens; from the cache where it was tokenized before.</summary>
    /// <exception cref="UserException">It cannot be read.</exception>
    public static TokenDataset Read(TaskContext context)
    {
        using Corpus corpus = Corpus.OpenOrDefault(context.Data.Path, context.Data.Reading);
        return new TokenCache().Open(corpus, context.Tokenizer(), context.Data, null, context.Note, context.Cancel);
    }

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => ReplayTask.Of(new TextTask(Read(context), context.Data, context.Seed), context);

    /// <inheritdoc/>
    public override LearningTask Sketch(TaskContext context) => new RandomTokens(Math.Max(1, context.Model.Vocab), context.Seed, context.Data.MaskDocuments);
}
