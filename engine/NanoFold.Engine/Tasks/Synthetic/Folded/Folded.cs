using System.Text.Json.Serialization;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Tasks;

/// <summary>A surface that is folded up in space.</summary>
public enum FoldedShape
{
    /// <summary>A sheet rolled up, of dimension 2: asked for are the two coordinates on the sheet, each of variance 1.</summary>
    SwissRoll,

    /// <summary>Two arms that wind around each other, of dimension 1: asked for is which arm, −1 or 1.</summary>
    Spirals,

    /// <summary>Two tori, each through the other's hole, of dimension 2: asked for is which one, −1 or 1.</summary>
    LinkedTori,
}

/// <summary>
/// Points of a folded surface of known dimension, read in as features, one a place, each apart from the others; the model reads out where on the surface a point is, or which of
/// two surfaces it is on. The surface lies in a space of more dimensions in a random direction, the same in all rows. Where it asks which, <c>accuracy</c> is the share of
/// values whose sign is right.
/// </summary>
public sealed record FoldedConfig : GeneratedTaskConfig
{
    public static FoldedConfig Tiny => new() { Ambient = 4, ValidationRows = 6 };

    /// <summary>What is folded up.</summary>
    public FoldedShape Shape { get; init; }

    /// <summary>Dimensions of the space that it lies in: the features of a place.</summary>
    [Bounds(2, 4096)]
    public int Ambient { get; init; } = 16;

    /// <summary>How often the roll or an arm winds around.</summary>
    [Bounds(0.25, 100)]
    public double Turns { get; init; } = 1.5;

    /// <summary>Standard deviation of the normal noise on each feature; the surface itself has 1 on average over its own directions.</summary>
    [Bounds(0, 1000)]
    public double Noise { get; init; }

    /// <summary>Dimension of the surface: 2, or 1 of spirals. What is measured of a model's stream may be compared with it.</summary>
    [JsonIgnore]
    public int Dimension => Shape == FoldedShape.Spirals ? 1 : 2;

    /// <summary>Values to read out.</summary>
    [JsonIgnore]
    internal int Outputs => Shape == FoldedShape.SwissRoll ? 2 : 1;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelConfig model, string path)
    {
        if (Ambient < FoldedPoints.SpaceOf(Shape))
        {
            yield return new ConfigProblem($"{path}.ambient", $"{Ambient} is less than the {FoldedPoints.SpaceOf(Shape)} dimensions that {path}.shape is folded up in");
        }

        if (model.Vocab > 0)
        {
            yield return HasNoTokens(model.Vocab);
        }

        if (model.Inputs > 0 && model.Inputs != Ambient)
        {
            yield return new ConfigProblem("model.inputs", $"{model.Inputs} is not {path}.ambient = {Ambient}; leave it out");
        }

        if (model.Outputs > 0 && model.Outputs != Outputs)
        {
            yield return new ConfigProblem("model.outputs", $"{model.Outputs} is not the number of values asked for, {Outputs}; leave it out");
        }

        if (model.Visibility == VisibilityKind.Prefix)
        {
            yield return new ConfigProblem("model.visibility", $"rows of \"{Kind}\" have no prefix; use causal or full");
        }
    }

    /// <inheritdoc/>
    public override ModelConfig Fit(ModelConfig model) => model with { Inputs = Ambient, Outputs = Outputs, Tied = false };

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new Folded(this, context);
}

internal sealed class Folded(FoldedConfig config, TaskContext context) : GeneratedTask(config, context)
{
    private readonly FoldedPoints _points = new(config);

    private bool AsksWhich => config.Outputs == 1;

    public override LossUnit Unit => LossUnit.SquaredError;

    public override IReadOnlyList<BatchField> Fields(int time) =>
        [BatchField.Reals(BatchField.Features, time, config.Ambient), BatchField.Reals(BatchField.Values, time, config.Outputs), BatchField.Integers(BatchField.Targets, -1, time)];

    // With noise, surfaces overlap.
    public override IReadOnlyList<Score> Best() => config.Noise > 0 ? [] : AsksWhich ? [new("loss", 0), new(Evaluation.Accuracy, 1)] : [new("loss", 0)];

    // Values are of variance 1 around 0.
    public override IReadOnlyList<Score> Guessing() => AsksWhich ? [new("loss", 1), new(Evaluation.Accuracy, 0.5)] : [new("loss", 1)];

    public override TaskScore NewScore() => AsksWhich ? new SignScore() : base.NewScore();

    public override TaskLoss RecordLoss(Tape tape, Transformer model, BatchTensors batch)
    {
        if (tape.IsTraining || !AsksWhich)
        {
            return base.RecordLoss(tape, model, batch);
        }

        Tensor said = model.ReadOut.Values(tape, RecordBody(tape, model, batch));
        (Tensor loss, Tensor losses) = SquaredErrorOp.Record(tape, said, batch[BatchField.Values], batch[BatchField.Targets]);
        return new TaskLoss(loss, losses, said);
    }

    public override IEnumerable<string> Describe() => [FormattableString.Invariant(
        $"{ConfigSchema.Choices(typeof(FoldedShape))[(int)config.Shape]}: dimension {config.Dimension}, folded in {FoldedPoints.SpaceOf(config.Shape)} and read in as {config.Ambient} features")];

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        Span<float> features = row.Reals(BatchField.Features), values = row.Reals(BatchField.Values);
        Span<int> targets = row.Integers(BatchField.Targets);
        for (int place = 0; place < targets.Length; place++)
        {
            _points.Draw(ref draws, features.Slice(place * config.Ambient, config.Ambient), values.Slice(place * config.Outputs, config.Outputs));
        }

        targets.Clear();
        return targets.Length;
    }
}

/// <summary>The squared error, and how many values have the right sign.</summary>
internal sealed class SignScore : TargetScore
{
    private long _count;
    private long _right;

    public override void Begin()
    {
        base.Begin();
        (_count, _right) = (0, 0);
    }

    public override void Add(BatchRows batch, ScoredValues scored)
    {
        Add(batch, scored.Reals(0), []);
        ReadOnlySpan<int> targets = batch.Integers(BatchField.Targets);
        ReadOnlySpan<float> values = batch.Reals(BatchField.Values), said = scored.Reals(1);
        for (int i = 0; i < targets.Length; i++)
        {
            if (targets[i] >= 0)
            {
                _count++;
                _right += said[i] * values[i] > 0 ? 1 : 0;
            }
        }
    }

    public override Evaluation Result() => base.Result() with { Scores = [new Score(Evaluation.Accuracy, (double)_right / _count)] };
}
