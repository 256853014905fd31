using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Labels;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// Neural collapse at the end of a language model (Wu and Papyan 2024): what the head reads, its classes the tokens that are asked for; NC1, CDNV, angles between class means, and how often the nearest
/// class mean is the token that the model itself finds most likely.
/// </summary>
public sealed record CollapseMeasure : NetworkMeasure
{
    /// <summary>So many classes at most, the most frequent.</summary>
    [Bounds(2, 1024)]
    public int MostClasses { get; init; } = 100;

    /// <summary>Tokens that a class has at least.</summary>
    [Bounds(2, 1 << 20)]
    public int LeastTokens { get; init; } = 4;

    /// <inheritdoc/>
    public override string Legend => "of what the head reads, classes the next tokens; agree = nearest class mean is what the model finds most likely";

    /// <inheritdoc/>
    public override string Subject => "head over a vocabulary";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("nc1", "NC1", "0.000"), new("cdnv", "CDNV", "0.000"), new("agreement", "agree", "0.000")];

    /// <inheritdoc/>
    public override void Take(NetworkSample network, FigureWriter figures)
    {
        if (network.Model.Config.Outputs > 0)
        {
            return;
        }

        (float[] values, int[] predicted) = Run(network);
        int width = network.Model.Config.Width;
        int[] labels = [.. network.Targets.Select((target, i) => i % network.Time > 0 ? target : -1)];
        ClassSample sample = ClassSample.Of(labels, LeastTokens, MostClasses);
        ClassSeparation found = ClassSeparation.Measure(values, width, sample);
        string estimator = $"{found.Classes} next tokens, at most {MostClasses} of at least {LeastTokens} tokens, position 0 out";
        figures.Add("nc1", found.Nc1, found.Status, $"tr(Σ_W Σ_B⁺)/C, {estimator}", found.Points);
        figures.Add("cdnv", found.Cdnv, found.Status, $"mean over pairs, {estimator}", found.Points);
        figures.Add("meanCosine", found.MeanCosine, found.Status, $"mean over pairs of centered class means, {estimator}", found.Points, found.CosineDeviation);
        figures.Add("nearestMean", found.NearestMean, found.Status, $"on the tokens of the means, {estimator}", found.Points);
        double agree = Enumerable.Range(0, found.Nearest.Count).Count(i => sample.Numbers[found.Nearest[i]] == predicted[sample.Rows[i]]);
        figures.Add("agreement", agree / found.Points, found.Status, $"nearest class mean is the most likely token, {estimator}", found.Points);
    }

    private static (float[] Values, int[] Predicted) Run(NetworkSample network)
    {
        Backend backend = network.Backend;
        using var buffers = new BatchBuffers(backend, network.Rows.Fields, network.Batch, DType.Float32);
        buffers.Upload(network.Rows);
        using StepState state = backend.NewState();
        using var arena = new SharedArena(backend);
        var tape = new Tape(backend) { State = state };
        BatchTensors batch = buffers.On(tape);
        Tensor x = network.Task.RecordBody(tape, network.Model, batch);
        Tensor predicted = network.Model.Language.LossAndPredictions(tape, x, batch[BatchField.Targets]).Predictions;
        tape.Keep(x);
        tape.Keep(predicted);
        using var plan = new Plan(tape);
        arena.Bind(plan);
        plan.Run();
        var values = new float[x.Layout.Count];
        var tokens = new int[predicted.Layout.Count];
        backend.Read(plan[x], values.AsSpan());
        backend.Download(plan[predicted], tokens.AsSpan());
        return (values, tokens);
    }
}
