using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// Linear regression in context (arXiv 2208.01066): a row is x_1, (y_1, 0 …), x_2, (y_2, 0 …), … with x and w of independent standard normal numbers and y = w · x, w
/// another in each row. At each x the model says its y; the loss is the mean squared error. Least squares over the pairs before is as good as can be:
/// <c>leastSquares</c> is its error at the same places. Where model.visibility shows y as well, only pairs are asked for whose y is not shown: with a prefix those
/// after it, with full visibility the last one, whose y is left out.
/// </summary>
public sealed record RegressionConfig : GeneratedTaskConfig
{
    public static RegressionConfig Tiny => new() { Dimensions = 2, ValidationRows = 6 };

    /// <summary>d, the elements of x; 20 as published. With 2, and a learning rate of 0.003, nano learns it within some hundred steps.</summary>
    [Bounds(1, 4096)]
    public int Dimensions { get; init; } = 20;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelConfig model, string path)
    {
        if (model.Context < 2)
        {
            yield return new ConfigProblem("model.context", $"{model.Context} is less than the 2 places of a pair");
        }

        if (model.Vocab > 0)
        {
            yield return HasNoTokens(model.Vocab);
        }

        if (model.Inputs > 0 && model.Inputs != Dimensions)
        {
            yield return new ConfigProblem("model.inputs", $"{model.Inputs} is not {path}.dimensions = {Dimensions}; leave it out");
        }

        if (model.Outputs > 1)
        {
            yield return new ConfigProblem("model.outputs", $"{model.Outputs} is not the one value that is asked for; leave it out");
        }
    }

    /// <inheritdoc/>
    public override ModelConfig Fit(ModelConfig model) => model with { Inputs = Dimensions, Outputs = 1, Tied = false };

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new Regression(this, context);
}

internal sealed class Regression(RegressionConfig config, TaskContext context) : GeneratedTask(config, context)
{
    private readonly VisibilityKind _visibility = context.Model.Visibility;

    public override LossUnit Unit => LossUnit.SquaredError;

    public override IReadOnlyList<BatchField> Fields(int time) =>
    [
        BatchField.Reals(BatchField.Features, time, config.Dimensions),
        BatchField.Reals(BatchField.Values, time, 1),
        BatchField.Integers(BatchField.Targets, -1, time),
        .. _visibility == VisibilityKind.Prefix ? [BatchField.Integers(BatchField.Prefixes, 0)] : Array.Empty<BatchField>(),
    ];

    public override TaskScore NewScore() => new RegressionScore(config.Dimensions);

    public override IReadOnlyList<Score> Best()
    {
        var score = new RegressionScore(config.Dimensions);
        foreach (BatchRows row in HeldBackRows())
        {
            score.AddLeastSquares(row);
        }

        return double.IsNaN(score.LeastSquares) ? [] : [new Score("loss", score.LeastSquares)];
    }

    // Who says 0 is off by y, of which the square is d on average.
    public override IReadOnlyList<Score> Guessing() => [new Score("loss", config.Dimensions)];

    public override IEnumerable<string> Describe() => [$"regression in context: y = w · x in {config.Dimensions} dimensions, {Time / 2} pairs a row"];

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        int d = config.Dimensions, pairs = row.Integers(BatchField.Targets).Length / 2, asked = 0;
        // Pairs that are seen whole from every place.
        int shown = _visibility switch { VisibilityKind.Prefix => draws.Below(pairs), VisibilityKind.Full => pairs - 1, _ => 0 };
        Span<float> features = row.Reals(BatchField.Features), values = row.Reals(BatchField.Values);
        Span<int> targets = row.Integers(BatchField.Targets);
        if (_visibility == VisibilityKind.Prefix)
        {
            row.Integers(BatchField.Prefixes)[0] = 2 * shown;
        }

        Span<double> w = stackalloc double[d];
        for (int i = 0; i < d; i++)
        {
            w[i] = draws.Normal();
        }

        for (int pair = 0; pair < pairs; pair++)
        {
            Span<float> x = features.Slice(2 * pair * d, d);
            double y = 0;
            for (int i = 0; i < d; i++)
            {
                x[i] = (float)draws.Normal();
                y += w[i] * x[i];
            }

            bool isAsked = pair >= shown;
            if (!isAsked || _visibility != VisibilityKind.Full)
            {
                features[((2 * pair) + 1) * d] = (float)y;
            }

            if (isAsked)
            {
                values[2 * pair] = (float)y;
                targets[2 * pair] = 0;
                asked++;
            }
        }

        return asked;
    }
}
