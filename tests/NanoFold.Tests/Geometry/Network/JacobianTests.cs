using System.Text.Json;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Network;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Geometry.Network;

/// <summary>Singular values of Jacobians, and gains along and across the data.</summary>
public class JacobianTests : EngineTests
{
    [Test]
    public void AnRmsNormHasOneDirectionThatGoesToZero()
    {
        // g = 1, eps about 0: D − 1 singular values of 1/rms and one 0.
        using var model = new Transformer(ModelVariants.Base with { NormEpsilon = 1e-12 }, Backend(), 5);
        using NetworkSamples samples = NetworkSamples.Of(model, 1);
        int width = model.Config.Width, time = model.Config.Context;
        using Transformer precise = WindowBatch.InDouble(model)!;
        BatchRows rows = WindowBatch.Of(samples.Sample, 1, time);
        using var pass = new SteeredPass(precise, samples.Sample.Task, rows, SteerKind.Add, ["blocks.1.hook_resid_pre"], ["blocks.1.ln1.hook_normalized"]);
        double[] x = new double[time * width], u = new double[x.Length], gradient = new double[x.Length];
        var jacobian = new float[width * width];
        for (int i = 0; i < width; i++)
        {
            Array.Clear(u);
            u[((time - 1) * width) + i] = 1;
            pass.Weigh(0, u);
            pass.Run();
            pass.ReadGradient(0, gradient);
            for (int j = 0; j < width; j++)
            {
                jacobian[(i * width) + j] = (float)gradient[((time - 1) * width) + j];
            }
        }

        pass.ReadValue(0, x);
        double rms = Math.Sqrt(x[^width..].Average(v => v * v));
        double[] values = [.. MatrixSpectrum.Squares(jacobian, width, width).Select(Math.Sqrt)];
        Assert.That(values[..^1], Is.All.EqualTo(1 / rms).Within(1e-4).Percent);
        Assert.That(values[^1], Is.LessThan(1e-3 / rms));
    }

    [Test]
    public void BidiagonalizationFindsAllSingularValues()
    {
        // Of the diagonal 9, 3, 1, 0 times rotations.
        const int D = 4;
        double[] a = [.. Enumerable.Range(0, D * D).Select(i => (i % D) switch { 0 => 9.0, 1 => 3, 2 => 1, _ => 0 } * Hadamard(i / D, i % D) / 2)];
        double[] Times(double[] v, bool transposed) =>
            [.. Enumerable.Range(0, D).Select(i => Enumerable.Range(0, D).Sum(j => v[j] * (transposed ? a[(j * D) + i] : a[(i * D) + j])))];
        var found = new Bidiagonalization(D, 3, 1e-12);
        for (int round = 0; round < D; round++)
        {
            found.TakeImage(Times(found.Right, false));
            if (!found.IsDone)
            {
                found.TakeTransposed(Times(found.Left, true));
            }
        }

        Assert.That(found.IsDone);
        Assert.That(found.Values(), Is.EqualTo(new[] { 9, 3, 1, 0 }).Within(1e-9));
        Assert.That(found.Residual(), Is.Zero);
    }

    [Test]
    public void ProductsThatAreNotOfOneMatrixAreNoticed()
    {
        var found = new Bidiagonalization(3, 3, 1e-12);
        found.TakeImage([100, 0, 0]);
        found.TakeTransposed([.. found.Right.Select(v => 2 * v)]);
        Assert.That(found.IsTorn && found.IsDone);
    }

    [Test]
    public void ProductsFromBothSidesAreOfOneMatrix()
    {
        using var tiny = new TinyModel(ModelVariants.Base, Backend());
        using NetworkSamples samples = NetworkSamples.Of(tiny.Model, 2);
        using var jacobians = new BlockJacobians(samples.Sample, 2, 8, [("blocks.0.hook_resid_pre", "blocks.0.hook_resid_post"), ("blocks.1.hook_resid_pre", "blocks.1.hook_resid_post")]);
        int width = tiny.Model.Config.Width;
        (Bidiagonalization All, Bidiagonalization Last)[][] found = jacobians.Run(width, 1);
        Assert.That(jacobians.IsDouble);
        foreach ((Bidiagonalization all, Bidiagonalization last) in found.SelectMany(map => map))
        {
            // The last place is a part of the window's map, whose norm is at least the part's.
            Assert.That(last.Values(), Has.Length.EqualTo(width));
            Assert.That(all.Values()[0], Is.GreaterThanOrEqualTo(last.Values()[0]));
            Assert.That(all.Residual(), Is.LessThan(1e-2 * all.Values()[0]));
        }
    }

    [Test]
    public void ABlockWithoutWeightsChangesNothing()
    {
        using var tiny = new TinyModel(ModelVariants.Base, Backend());
        foreach (Engine.Tensors.Parameter parameter in tiny.Store.Parameters.Where(p => p.Name.EndsWith("o_proj.weight", StringComparison.Ordinal) || p.Name.EndsWith("down_proj.weight", StringComparison.Ordinal)))
        {
            Host.Write(tiny.Store, parameter, new double[parameter.Layout.Count]);
        }

        using NetworkSamples samples = NetworkSamples.Of(tiny.Model, 8);
        foreach (FigureWriter figures in NetworkSamples.Take(writer => new JacobianMeasure { Tokens = 4, Rounds = 3 }.Take(samples.Sample, writer)).Values)
        {
            Assert.That(figures.Figures.Where(f => f.Name is "windowLargest" or "tokenLargest" or "tokenGain").Select(f => f.Value), Is.All.EqualTo(1).Within(1e-6));
        }

        // Every step comes out as it went in.
        foreach (FigureWriter figures in NetworkSamples.Take(writer => new GainMeasure { Draws = 16, Windows = 8, Rank = 3 }.Take(samples.Sample, writer)).Values)
        {
            Assert.That(figures.Figures.Select(f => f.Value), Is.All.EqualTo(1).Within(0.15));
        }
    }

    [Test]
    public void JacobiansOfATrainedModelAreThePublishedOnes() => Published(12, 2e-3);

    [Test]
    [Category("Long")]
    public void AllSingularValuesOfATrainedModelAreThePublishedOnes() => Published(128, 1e-5);

    private void Published(int rounds, double relative)
    {
        JsonElement[] expected = [.. NetworkSamples.Expected("jacobian").EnumerateArray()];
        using NetworkSamples samples = NetworkSamples.Published(Backend(), 1);
        Dictionary<FigurePlace, FigureWriter> measured = NetworkSamples.Take(figures => new JacobianMeasure { Windows = 1, Tokens = 64, Rounds = rounds }.Take(samples.Sample, figures));
        foreach (JsonElement layer in expected)
        {
            FigureWriter own = measured.Single(one => one.Key.Layer == layer.GetProperty("layer").GetInt32()).Value;
            double Of(string figure) => own.Figures.Single(f => f.Name == figure).Value ?? double.NaN;
            Assert.That(Of("windowLargest"), Is.EqualTo(layer.GetProperty("wholeBlockLargest").GetDouble()).Within(100 * relative).Percent);
            Assert.That(Of("tokenLargest"), Is.EqualTo(layer.GetProperty("lastPosition")[0].GetDouble()).Within(100 * relative).Percent);
            Assert.That(Of("tokenSecond"), Is.EqualTo(layer.GetProperty("lastPosition")[1].GetDouble()).Within(100 * relative).Percent);
            if (rounds >= 128)
            {
                Assert.That(Of("tokenSmallest"), Is.EqualTo(layer.GetProperty("lastPosition")[2].GetDouble()).Within(0.1).Percent);
                Assert.That(Of("tokenGain"), Is.EqualTo(layer.GetProperty("frobenius").GetDouble() / Math.Sqrt(128)).Within(100 * relative).Percent);
            }
        }
    }

    private static int Hadamard(int i, int j) => System.Numerics.BitOperations.PopCount((uint)(i & j)) % 2 == 0 ? 1 : -1;
}
