using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Tasks;

/// <summary>Regression in context: its rows, what is asked of which model, and its scores.</summary>
public class RegressionTests : EngineTests
{
    private const int Dimensions = 3, Time = 12, Rows = 40;

    private static readonly ModelConfig s_model = new() { Layers = 2, Width = 16, Heads = 2, Context = Time, Initialization = InitializationKind.Zero };

    private static RegressionConfig Config => new() { Dimensions = Dimensions, ValidationRows = Rows };

    [Test]
    public void AnswersFollowFromTheNumbersBeforeThem()
    {
        BatchRows batch = Fill(VisibilityKind.Causal);
        Assert.That(batch.Targets, Is.EqualTo(Rows * Time / 2));
        foreach ((double[][] x, double[] y, int[] asked) in Pairs(batch))
        {
            double[] w = Solve([.. x.Take(Dimensions)], y[..Dimensions]);
            for (int pair = 0; pair < x.Length; pair++)
            {
                Assert.That(Dot(w, x[pair]), Is.EqualTo(y[pair]).Within(1e-4), "all pairs of a row are of one w");
            }

            Assert.That(asked, Is.EqualTo(Enumerable.Range(0, Time / 2)));
        }

        ReadOnlySpan<float> features = batch.Reals(BatchField.Features), values = batch.Reals(BatchField.Values);
        double squares = 0;
        for (int place = 0; place < Rows * Time; place += 2)
        {
            Assert.That(features[(place + 1) * Dimensions], Is.EqualTo(values[place]), "the answer is read after the question");
            Assert.That(features.Slice(((place + 1) * Dimensions) + 1, Dimensions - 1).ToArray(), Is.All.Zero);
            squares += values[place] * values[place];
        }

        Assert.That(squares / (Rows * Time / 2), Is.EqualTo(Dimensions).Within(1.5));
    }

    [Test]
    public void OnlyAnswersThatAreNotShownAreAskedFor()
    {
        BatchRows full = Fill(VisibilityKind.Full);
        Assert.That(full.Targets, Is.EqualTo(Rows));
        Assert.That(Pairs(full).Select(row => row.Asked), Is.All.EqualTo(new[] { (Time / 2) - 1 }));
        Assert.That(Enumerable.Range(1, Rows).Select(row => full.Reals(BatchField.Features)[((row * Time) - 1) * Dimensions]), Is.All.Zero, "the last answer is left out");

        BatchRows prefix = Fill(VisibilityKind.Prefix);
        int[] lengths = prefix.Integers(BatchField.Prefixes).ToArray();
        Assert.That(lengths, Is.All.InRange(0, Time - 2).And.All.Matches<int>(length => length % 2 == 0));
        Assert.That(lengths.Distinct().Count(), Is.GreaterThan(3));
        Assert.That(Pairs(prefix).Select((row, i) => row.Asked.SequenceEqual(Enumerable.Range(lengths[i] / 2, (Time - lengths[i]) / 2))), Is.All.True);
    }

    [TestCase(VisibilityKind.Causal)]
    [TestCase(VisibilityKind.Full)]
    [TestCase(VisibilityKind.Prefix)]
    public void AModelThatSaysNothingIsScoredBesideLeastSquares(VisibilityKind visibility)
    {
        ModelConfig model = Config.Fit(s_model with { Visibility = visibility });
        using LearningTask task = Open(visibility);
        using var transformer = new Transformer(model, Backend());
        using var evaluator = new Evaluator(transformer, task, new BatchShape(7, Time));
        Evaluation evaluation = evaluator.Run();

        double squares = 0, best = 0;
        int count = 0;
        foreach ((double[][] x, double[] y, int[] asked) in Pairs(Fill(visibility)))
        {
            foreach (int pair in asked)
            {
                squares += y[pair] * y[pair];
                best += Math.Pow(y[pair] - LeastSquares(x[..pair], y[..pair], x[pair]), 2);
                count++;
            }
        }

        Assert.That(evaluation.Tokens, Is.EqualTo(count));
        Assert.That(evaluation.Loss, Is.EqualTo(squares / count).Within(1e-5 * squares / count), "a read-out of zeros says 0");
        Assert.That(evaluation.Scores!.Single(), Is.EqualTo(new Score("leastSquares", best / count)).Using<Score>((a, b) => a.Name == b.Name && Math.Abs(a.Value - b.Value) < 1e-5));
        Assert.That(evaluation.IsText, Is.False);
    }

    [TestCase(VisibilityKind.Causal)]
    [TestCase(VisibilityKind.Full)]
    [TestCase(VisibilityKind.Prefix)]
    public void AttentionThatChoosesNothingHasTheEntropyOfAllThatItMaySee(VisibilityKind visibility)
    {
        using LearningTask task = Open(visibility);
        using var model = new Transformer(Config.Fit(s_model with { Visibility = visibility }), Backend());
        for (int layer = 0; layer < s_model.Layers; layer++)
        {
            model.Backend.Fill(model.Store.Values(model.Store[$"model.layers.{layer}.self_attn.q_proj.weight"]), 0);
        }

        ProbeShape shape = ProbeShape.Of(4 * Time, 3 * Time, Time);
        using var probe = new GeometryProbe(model, task, shape, [new AttentionMeasure(), new NormMeasure()]);
        probe.Read();
        using var recorder = new GeometryRecorder(probe, new GeometryConfig { Every = 1 }, shape.Tokens);
        recorder.Measure(1, 1, isLast: false);
        double[] shares = [.. recorder.Latest.SelectMany(m => m.Figures).Where(figure => figure.Name == "attentionEntropyShare").Select(figure => figure.Value!.Value)];
        Assert.That(shares, Has.Length.EqualTo(s_model.Layers).And.All.EqualTo(1).Within(1e-5));
        Assert.That(recorder.Latest.Where(m => m.Measure is NormMeasure).SelectMany(m => m.Figures).Select(figure => figure.Value), Has.All.GreaterThan(0));
    }

    [Test]
    public void WhatDoesNotSuitIsToldInALine()
    {
        Assert.That(Problem(Config, s_model with { Context = 1 }), Is.EqualTo("model.context: 1 is less than the 2 places of a pair"));
        Assert.That(Problem(Config, s_model with { Inputs = 4 }), Is.EqualTo("model.inputs: 4 is not task.dimensions = 3; leave it out"));
        Assert.That(Problem(Config, s_model with { Outputs = 2 }), Is.EqualTo("model.outputs: 2 is not the one value that is asked for; leave it out"));
        Assert.That(Config.Validate(Config.Fit(s_model), "task"), Is.Empty);
        Assert.That(Problem(new RegressionConfig(), s_model with { Inputs = 0, Vocab = 9 }), Is.EqualTo("model.vocab: \"regression\" has no tokens, so no 9 symbols; leave it out"));
        Assert.That(Problem(new FoldedConfig(), s_model with { Inputs = 0, Vocab = 9 }), Is.EqualTo("model.vocab: \"folded\" has no tokens, so no 9 symbols; leave it out"));
        Assert.That(Problem(new TextConfig(), s_model with { Outputs = 2 }), Is.EqualTo("model.outputs: text is of tokens; leave it out"));
        Assert.That(Problem(new TextConfig(), s_model with { Visibility = VisibilityKind.Full }), Does.StartWith("model.visibility: \"full\" shows tokens what they are to predict"));
    }

    internal static string Problem(TaskConfig task, ModelConfig model) => string.Join('\n', task.Validate(model, "task"));

    private static LearningTask Open(VisibilityKind visibility) => Config.Open(new TaskContext { Model = Config.Fit(s_model with { Visibility = visibility }), Seed = 9 });

    private static BatchRows Fill(VisibilityKind visibility)
    {
        using LearningTask task = Open(visibility);
        var batch = new BatchRows(task.Fields(Time), Rows);
        batch.Fill(task, TaskSplit.Validation, 0, Rows, Rows);
        return batch;
    }

    // Of each row the numbers, their answers (0 where one is neither asked nor read), and which pairs are asked for.
    private static IEnumerable<(double[][] X, double[] Y, int[] Asked)> Pairs(BatchRows batch)
    {
        float[] features = batch.Reals(BatchField.Features).ToArray(), values = batch.Reals(BatchField.Values).ToArray();
        int[] targets = batch.Integers(BatchField.Targets).ToArray();
        for (int row = 0; row < Rows; row++)
        {
            double[][] places = [.. features[(row * Time * Dimensions)..((row + 1) * Time * Dimensions)].Select(v => (double)v).Chunk(Dimensions)];
            int[] asked = [.. Enumerable.Range(0, Time / 2).Where(pair => targets[(row * Time) + (2 * pair)] >= 0)];
            yield return (
                [.. places.Where((_, place) => place % 2 == 0)],
                [.. Enumerable.Range(0, Time / 2).Select(pair => asked.Contains(pair) ? values[(row * Time) + (2 * pair)] : places[(2 * pair) + 1][0])],
                asked);
        }
    }

    // Xᵀ (X Xᵀ)⁻¹ y of as many rows as there are unknowns at most: the shortest w that fits.
    private static double LeastSquares(double[][] x, double[] y, double[] question)
    {
        int used = Math.Min(x.Length, Dimensions);
        double[] a = Solve([.. x.Take(used).Select(row => x.Take(used).Select(other => Dot(row, other)).ToArray())], y[..used]);
        return Enumerable.Range(0, used).Sum(i => a[i] * Dot(x[i], question));
    }

    // Gauss with the largest of a column first.
    private static double[] Solve(double[][] matrix, double[] y)
    {
        double[][] rows = [.. matrix.Select((row, i) => row.Append(y[i]).ToArray())];
        for (int i = 0; i < rows.Length; i++)
        {
            int largest = Enumerable.Range(i, rows.Length - i).MaxBy(r => Math.Abs(rows[r][i]));
            (rows[i], rows[largest]) = (rows[largest], rows[i]);
            for (int r = 0; r < rows.Length; r++)
            {
                double factor = r == i ? 0 : rows[r][i] / rows[i][i];
                rows[r] = [.. rows[r].Zip(rows[i], (a, b) => a - (factor * b))];
            }
        }

        return [.. rows.Select((row, i) => row[^1] / row[i])];
    }

    private static double Dot(double[] a, double[] b) => a.Zip(b, (p, q) => p * q).Sum();
}
