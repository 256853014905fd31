using System.Text.Json.Serialization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Tasks;

/// <summary>A task that is made up of tokens with labels: what it asks of a model.</summary>
public abstract record LabelledTaskConfig : GeneratedTaskConfig
{
    /// <summary>How many tokens there are: a model whose vocabulary is left open gets so many.</summary>
    [JsonIgnore]
    public abstract int Vocab { get; }

    /// <summary>The places that a row has at least.</summary>
    [JsonIgnore]
    public virtual int LeastContext => 1;

    /// <summary>Whether labels are tokens that follow in the row: then no place may see those after it.</summary>
    protected virtual bool LabelsFollow => false;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelConfig model, string path)
    {
        if (model.Context < LeastContext)
        {
            yield return new ConfigProblem("model.context", $"{model.Context} is less than the {LeastContext} places {LeastContextOf(path)}");
        }

        if (model.Vocab > 0 && model.Vocab < Vocab)
        {
            yield return new ConfigProblem("model.vocab", $"{model.Vocab} is less than the {Vocab} symbols of {VocabOf(path)}; leave it out");
        }

        if (model.Visibility == VisibilityKind.Prefix)
        {
            yield return new ConfigProblem("model.visibility", $"rows of \"{Kind}\" have no prefix; use causal{(LabelsFollow ? "" : " or full")}");
        }

        if (model.Visibility == VisibilityKind.Full && LabelsFollow)
        {
            yield return new ConfigProblem("model.visibility", "\"full\" shows tokens what they are to predict; use causal");
        }

        if (model.Inputs > 0 || model.Outputs > 0)
        {
            yield return new ConfigProblem(model.Inputs > 0 ? "model.inputs" : "model.outputs", $"\"{Kind}\" is of tokens; leave it out");
        }
    }

    /// <inheritdoc/>
    public override ModelConfig Fit(ModelConfig model) => model.Vocab > 0 ? model : model with { Vocab = Vocab };

    /// <summary>What <see cref="LeastContext"/> follows from, for messages: <c>that task.pairs = 4 takes</c>.</summary>
    /// <param name="path">The task's key.</param>
    protected virtual string LeastContextOf(string path) => $"of \"{Kind}\"";

    /// <summary>What <see cref="Vocab"/> follows from, for messages: <c>task.symbols = 16</c>.</summary>
    /// <param name="path">The task's key.</param>
    protected virtual string VocabOf(string path) => $"\"{Kind}\"";
}
