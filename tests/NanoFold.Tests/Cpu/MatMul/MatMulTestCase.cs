using NanoFold.Kernels;
using NanoFold.Kernels.Cpu.MatMul;

namespace NanoFold.Tests.Cpu.MatMul;

/// <summary>Operands of one product, and a check against the naive product in float64.</summary>
internal sealed class MatMulTestCase : IDisposable
{
    public required TestTensor A { get; init; }

    public required TestTensor B { get; init; }

    public required TestTensor Y { get; init; }

    /// <summary>[1, N].</summary>
    public TestTensor? Bias { get; init; }

    public TestTensor? Residual { get; init; }

    public bool TransposeA { get; init; }

    public bool TransposeB { get; init; }

    public double Alpha { get; init; } = 1;

    public bool Accumulate { get; init; }

    /// <summary>Rounds a and b to bfloat16.</summary>
    public void Round()
    {
        A.Round();
        B.Round();
    }

    /// <summary>Runs the product and compares all of y, and that nothing else changed.</summary>
    public void Check(CpuMatMul matMul, string what)
    {
        double[] expected = Expected();
        Run(matMul);
        double[] actual = [.. Indices().Select(index => Y[index])];
        int depth = A.View.Layout[TransposeA ? -2 : -1];
        double tolerance = Y.View.Type == DType.Float64 ? 1e-13 * (depth + 4) : 1.2e-6 * (Math.Sqrt(depth) + 4) * Math.Max(1, Math.Abs(Alpha));
        double worst = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double difference = Math.Abs(expected[i] - actual[i]);
            worst = difference <= worst ? worst : difference;
        }

        Assert.Multiple(() =>
        {
            Assert.That(worst, Is.LessThanOrEqualTo(tolerance), $"{what}: largest error");
            Assert.That(Y.OutsideUntouched(), $"{what}: memory beside y was written");
        });
    }

    public void Run(CpuMatMul matMul) => matMul.MatMul(Args);

    public MatMulArgs Args => new()
    {
        A = A.View,
        B = B.View,
        Y = Y.View,
        TransposeA = TransposeA,
        TransposeB = TransposeB,
        Alpha = Alpha,
        Accumulate = Accumulate,
        Bias = Bias is null ? default : Bias.View.With(Layout.Of(Bias.View.Layout[-1])),
        Residual = Residual?.View ?? default,
    };

    public void Dispose()
    {
        A.Dispose();
        B.Dispose();
        Y.Dispose();
        Bias?.Dispose();
        Residual?.Dispose();
    }

    private double[] Expected()
    {
        int rows = Y.View.Layout[-2], columns = Y.View.Layout[-1], depth = A.View.Layout[TransposeA ? -2 : -1];
        double[] a = [], b = [];
        int element = 0;
        return [.. Indices().Select(index =>
        {
            if (element++ % (rows * columns) == 0)
            {
                a = A.Matrix(index[..^2], TransposeA);
                b = B.Matrix(index[..^2], !TransposeB);
            }

            ReadOnlySpan<double> left = a.AsSpan(index[^2] * depth, depth), right = b.AsSpan(index[^1] * depth, depth);
            double sum = 0;
            for (int k = 0; k < depth; k++)
            {
                sum += left[k] * right[k];
            }

            return Alpha * sum + (Accumulate ? Y[index] : 0) + (Bias?[index[^1]] ?? 0) + (Residual?[index] ?? 0);
        })];
    }

    private IEnumerable<int[]> Indices()
    {
        Layout layout = Y.View.Layout;
        long count = layout.Count;
        var index = new int[layout.Rank];
        for (long i = 0; i < count; i++)
        {
            long rest = i;
            for (int d = layout.Rank - 1; d >= 0; d--)
            {
                index[d] = (int)(rest % layout[d]);
                rest /= layout[d];
            }

            yield return index;
        }
    }
}
