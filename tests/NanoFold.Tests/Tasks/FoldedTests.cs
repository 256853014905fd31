using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Tasks;

/// <summary>Folded surfaces: where points lie, what is asked of them, and how it is scored.</summary>
public sealed class FoldedTests : EngineTests
{
    private const int Time = 50, Rows = 20, Count = Time * Rows;

    [TestCase(FoldedShape.SwissRoll)]
    [TestCase(FoldedShape.Spirals)]
    [TestCase(FoldedShape.LinkedTori)]
    public void PointsLieInFewDimensionsAndValuesAreOfVarianceOne(FoldedShape shape)
    {
        var config = new FoldedConfig { Shape = shape, Ambient = 7 };
        (double[][] points, double[][] values) = Points(config);
        int space = shape == FoldedShape.Spirals ? 2 : 3;
        Assert.That(Rank(points), Is.EqualTo(space));
        Assert.That(points.Sum(point => point.Sum(x => x * x)) / (Count * space), Is.EqualTo(1).Within(0.05));
        Assert.That(values.SelectMany(value => value).Average(), Is.EqualTo(0).Within(0.1));
        Assert.That(values.SelectMany(value => value).Average(value => value * value), Is.EqualTo(1).Within(0.06));
        Assert.That(Neighbors(points), Is.EqualTo(config.Dimension).Within(0.35), "the dimension that two nearest neighbors tell");
        Assert.That(Rank(Points(config with { Noise = 0.1 }).Points), Is.EqualTo(7));
    }

    /// <summary>The nearest point of another arm or torus is farther than the nearest of the own one: what is asked for follows from the place.</summary>
    [TestCase(FoldedShape.Spirals)]
    [TestCase(FoldedShape.LinkedTori)]
    public void SurfacesDoNotTouch(FoldedShape shape)
    {
        (double[][] points, double[][] values) = Points(new FoldedConfig { Shape = shape, Ambient = 3 });
        double Nearest(int of, bool same) => Enumerable.Range(0, Count).Where(i => i != of && (values[i][0] == values[of][0]) == same).Min(i => Distance(points[i], points[of]));
        int[] some = [.. Enumerable.Range(0, 50).Select(i => i * 19)];
        Assert.That(some.Count(i => Nearest(i, same: true) < Nearest(i, same: false)), Is.EqualTo(some.Length));
        Assert.That(some.Min(i => Nearest(i, same: false)), Is.GreaterThan(0.1));
    }

    [Test]
    public void TheRollIsUnrolledByItsAngleAndHeight()
    {
        // Two points close on the sheet are close in space.
        (double[][] points, double[][] values) = Points(new FoldedConfig { Ambient = 3 });
        for (int i = 0; i < 30; i++)
        {
            int near = Enumerable.Range(0, Count).Where(j => j != i).MinBy(j => Distance(values[j], values[i]));
            Assert.That(Distance(points[near], points[i]), Is.LessThan(6 * Distance(values[near], values[i])));
        }
    }

    [Test]
    public void SignsAreCounted()
    {
        var config = new FoldedConfig { Shape = FoldedShape.LinkedTori, Ambient = 4, ValidationRows = Rows };
        ModelConfig model = config.Fit(new ModelConfig { Layers = 1, Width = 8, Heads = 2, Context = Time, Initialization = InitializationKind.Zero });
        using LearningTask task = config.Open(new TaskContext { Model = model, Seed = 5 });
        using var transformer = new Transformer(model, Backend());
        transformer.Backend.Fill(transformer.Store.Values(transformer.Store["read_out.bias"]), 0.5f);
        using var evaluator = new Evaluator(transformer, task, new BatchShape(7, Time));
        Evaluation evaluation = evaluator.Run();
        double first = Points(config).Values.Average(value => value[0] > 0 ? 1.0 : 0);
        Assert.That(evaluation.Scores!.Single(), Is.EqualTo(new Score("accuracy", first)));
        Assert.That(evaluation.Loss, Is.EqualTo((first * 0.25) + ((1 - first) * 2.25)).Within(1e-5));
    }

    [Test]
    public void WhatDoesNotSuitIsToldInALine()
    {
        var model = new ModelConfig { Context = 8 };
        Assert.That(RegressionTests.Problem(new FoldedConfig { Ambient = 2 }, model), Is.EqualTo("task.ambient: 2 is less than the 3 dimensions that task.shape is folded up in"));
        Assert.That(RegressionTests.Problem(new FoldedConfig { Ambient = 2, Shape = FoldedShape.Spirals }, model), Is.Empty);
        Assert.That(RegressionTests.Problem(new FoldedConfig(), model with { Inputs = 4 }), Is.EqualTo("model.inputs: 4 is not task.ambient = 16; leave it out"));
        Assert.That(RegressionTests.Problem(new FoldedConfig(), model with { Outputs = 1 }), Is.EqualTo("model.outputs: 1 is not the number of values asked for, 2; leave it out"));
    }

    private static (double[][] Points, double[][] Values) Points(FoldedConfig config)
    {
        using LearningTask task = config.Open(new TaskContext { Model = config.Fit(new ModelConfig { Context = Time }), Seed = 5 });
        var batch = new BatchRows(task.Fields(Time), Rows);
        batch.Fill(task, TaskSplit.Validation, 0, Rows, Rows);
        double[][] Split(string field, int width) => [.. batch.Reals(field).ToArray().Select(value => (double)value).Chunk(width)];
        return (Split(BatchField.Features, config.Ambient), Split(BatchField.Values, config.Shape == FoldedShape.SwissRoll ? 2 : 1));
    }

    private static double Distance(double[] a, double[] b) => Math.Sqrt(a.Zip(b, (x, y) => (x - y) * (x - y)).Sum());

    // The ratio of the distances to the two nearest neighbors is distributed by the dimension: d = N / Σ ln(r2 / r1).
    private static double Neighbors(double[][] points)
    {
        const int Some = 200;
        double sum = 0;
        for (int i = 0; i < Some; i++)
        {
            double first = double.MaxValue, second = double.MaxValue;
            for (int j = 0; j < points.Length; j++)
            {
                double distance = i == j ? double.MaxValue : Distance(points[i], points[j]);
                (first, second) = distance < first ? (distance, first) : (first, Math.Min(second, distance));
            }

            sum += Math.Log(second / first);
        }

        return Some / sum;
    }

    // By Gram and Schmidt.
    private static int Rank(double[][] points)
    {
        var directions = new List<double[]>();
        foreach (double[] point in points.Take(50))
        {
            double[] rest = [.. point];
            foreach (double[] direction in directions.Concat(directions))
            {
                double share = rest.Zip(direction, (x, y) => x * y).Sum();
                rest = [.. rest.Zip(direction, (x, y) => x - (share * y))];
            }

            double norm = Math.Sqrt(rest.Sum(x => x * x));
            if (norm > 1e-4)
            {
                directions.Add([.. rest.Select(x => x / norm)]);
            }
        }

        return directions.Count;
    }
}
