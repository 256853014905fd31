using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Training.Optimization;

/// <summary>Against a naive iteration in double, and by what it is for: singular values near 1.</summary>
public class NewtonSchulzTests
{
    [TestCase(24, 24)]
    [TestCase(16, 56)]
    [TestCase(70, 20)]
    [TestCase(1, 9)]
    [TestCase(5, 1)]
    public void BringsAMatrixNearItsOrthogonalFactor(int rows, int columns)
    {
        double[] matrix = WellConditioned(rows, columns);
        double[] result = Apply(matrix, rows, columns), expected = Reference(matrix, rows, columns);

        Assert.That(Enumerable.Range(0, result.Length).Max(i => Math.Abs(result[i] - expected[i])), Is.LessThan(2e-5));
        // Muon's coefficients trade exactness for speed: the values oscillate about 1.
        Assert.That(SingularValues(result, rows, columns), Has.All.InRange(0.65, 1.25));
    }

    [Test]
    public void SizeDoesNotMatter()
    {
        double[] matrix = WellConditioned(12, 20), expected = Apply(matrix, 12, 20);
        foreach (double size in new[] { 1e3, 1e-3, 1e-7, 1e-12, 1e-15, 1e-19, 1e-25, 1e-30, 1e-37 })
        {
            double[] result = Apply([.. matrix.Select(v => v * size)], 12, 20);
            Assert.That(result.Zip(expected).Max(pair => Math.Abs(pair.First - pair.Second)), Is.LessThan(1e-5), $"{size}");
        }

        // Powers of 2 change nothing: every step of the way is exact.
        foreach (int power in new[] { 30, -20, -38, -90 })
        {
            Assert.That(Apply([.. matrix.Select(v => Math.ScaleB(v, power))], 12, 20), Is.EqualTo(expected), $"2^{power}");
        }

        Assert.That(Apply(new double[40], 5, 8), Has.All.Zero);
    }

    [TestCase(24, 40)]
    [TestCase(40, 24)]
    [TestCase(128, 128)]
    public void SeveralMatricesHaveTheBitsOfEachAlone(int rows, int columns)
    {
        double[][] matrices = [.. Enumerable.Range(0, 5).Select(i => Numbers.Uniform($"matrix {i}", rows * columns, -1, 1))];
        double[][] together = Apply(matrices, rows, columns);
        Assert.That(together, Is.EqualTo(matrices.Select(matrix => Apply(matrix, rows, columns))));
    }

    private static double[] Apply(double[] matrix, int rows, int columns) => Apply([matrix], rows, columns)[0];

    private static double[][] Apply(double[][] matrices, int rows, int columns)
    {
        using var backend = new CpuBackend(2);
        // Larger matrices share the scratch.
        using var store = new ParameterStore(backend);
        using StepState state = backend.NewState();
        using var builder = new OptimizerBuilder(store, state);
        var newtonSchulz = new NewtonSchulz(builder, [.. matrices.Select(_ => (rows, columns)), (8, 300), (90, 90)]);
        Layout layout = Layout.Of(rows, columns);
        using DeviceBuffer buffer = backend.Allocate(matrices.Length * layout.Count * sizeof(float));
        View[] views = [.. matrices.Select((_, i) => new View(buffer, i * layout.Count, layout, DType.Float32))];
        for (int i = 0; i < views.Length; i++)
        {
            backend.Upload<float>([.. matrices[i].Select(v => (float)v)], views[i]);
        }

        // As decided for a step whose gradients are finite: else nothing is to be done.
        state.Set(StepSlot.GradientScale, 1.0);
        newtonSchulz.Apply(state, views);
        return
        [
            .. views.Select(view =>
            {
                var result = new float[layout.Count];
                backend.Download(view, result.AsSpan());
                return result.Select(v => (double)v).ToArray();
            }),
        ];
    }

    // X ← 3.4445 X − 4.7750 A X + 2.0315 A² X, A = X Xᵀ, five times, from X / ‖X‖.
    private static double[] Reference(double[] matrix, int rows, int columns)
    {
        double norm = Math.Sqrt(matrix.Sum(v => v * v));
        double[] x = [.. matrix.Select(v => v / norm)];
        for (int i = 0; i < 5; i++)
        {
            double[] gram = Product(x, Transpose(x, rows, columns), rows, columns, rows);
            double[] ax = Product(gram, x, rows, rows, columns), aax = Product(gram, ax, rows, rows, columns);
            x = [.. Enumerable.Range(0, x.Length).Select(e => (3.4445 * x[e]) - (4.7750 * ax[e]) + (2.0315 * aax[e]))];
        }

        return x;
    }

    // Random, with enough on the diagonal that no singular value is tiny: five iterations do not lift those.
    private static double[] WellConditioned(int rows, int columns)
    {
        var random = new Random((rows * 1000) + columns);
        return [.. Enumerable.Range(0, rows * columns).Select(e => (random.NextDouble() - 0.5) + (e / columns == e % columns ? 3 : 0))];
    }

    private static double[] SingularValues(double[] matrix, int rows, int columns)
    {
        double[] transposed = Transpose(matrix, rows, columns);
        double[] gram = rows <= columns ? Product(matrix, transposed, rows, columns, rows) : Product(transposed, matrix, columns, rows, columns);
        return [.. SymmetricEigenvalues.Of(gram, Math.Min(rows, columns)).Select(Math.Sqrt)];
    }

    private static double[] Transpose(double[] x, int rows, int columns)
    {
        var y = new double[x.Length];
        for (int e = 0; e < x.Length; e++)
        {
            y[(e % columns * rows) + (e / columns)] = x[e];
        }

        return y;
    }

    private static double[] Product(double[] a, double[] b, int m, int k, int n)
    {
        var y = new double[m * n];
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                for (int l = 0; l < k; l++)
                {
                    y[(i * n) + j] += a[(i * k) + l] * b[(l * n) + j];
                }
            }
        }

        return y;
    }
}
