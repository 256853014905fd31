using NanoFold.Engine.Ops;
using NanoFold.Kernels;

namespace NanoFold.Engine.Benchmarks;

/// <summary>How far an op's float32 results are from the truth, relative to the largest magnitude of each.</summary>
/// <param name="Reference">What the output was compared with: <see cref="Naive"/>, or <see cref="Float64"/> where the naive code would take too long.</param>
/// <param name="Error">Of the output.</param>
/// <param name="Tolerance">The most it may be.</param>
/// <param name="GradientError">Of the gradients of all inputs, against the op in float64; null without a gradient.</param>
/// <param name="GradientTolerance">The most that may be.</param>
public sealed record KernelCheck(string Reference, double Error, double Tolerance, double? GradientError, double GradientTolerance)
{
    /// <summary>The case's own float64 code.</summary>
    public const string Naive = "naive";

    /// <summary>The op itself in float64.</summary>
    public const string Float64 = "float64";

    // About a second of naive code.
    private const long MostNaiveFlops = 1_000_000_000;

    /// <summary>Whether both are within their tolerance.</summary>
    public bool Passes => Error <= Tolerance && !(GradientError > GradientTolerance);

    /// <summary>Runs a case once in float32 and once in float64.</summary>
    public static KernelCheck Of(OpCase opCase, Backend backend)
    {
        (double[] output, double[] gradients, bool isCheap) = Run(opCase, backend, DType.Float32);
        double[] expected = isCheap ? opCase.Reference(OpRunner.Inputs(opCase)) : [];
        double? gradientError = null;
        if (!isCheap || opCase.CheckGradient)
        {
            (double[] exact, double[] exactGradients, _) = Run(opCase, backend, DType.Float64);
            expected = isCheap ? expected : exact;
            gradientError = opCase.CheckGradient ? RelativeError(gradients, exactGradients) : null;
        }

        return new KernelCheck(isCheap ? Naive : Float64, RelativeError(output, expected), opCase.Tolerance, gradientError, opCase.GradientTolerance);
    }

    /// <summary>The largest difference, relative to the largest magnitude of what is expected; infinite where one is not a number or there are not as many.</summary>
    public static double RelativeError(double[] actual, double[] expected)
    {
        if (actual.Length != expected.Length)
        {
            return double.PositiveInfinity;
        }

        double largest = 0, worst = 0;
        for (int i = 0; i < actual.Length; i++)
        {
            double error = Math.Abs(actual[i] - expected[i]);
            worst = double.IsNaN(error) ? double.PositiveInfinity : Math.Max(worst, error);
            largest = Math.Max(largest, Math.Abs(expected[i]));
        }

        return worst == 0 ? 0 : worst / Math.Max(largest, double.Epsilon);
    }

    private static (double[] Output, double[] Gradients, bool IsCheap) Run(OpCase opCase, Backend backend, DType type)
    {
        using var runner = new OpRunner(opCase, backend, type);
        runner.Run();
        return (runner.Output(), opCase.CheckGradient ? runner.Gradients() : [], OpRunner.CostOf(opCase, backend, type).Forward.Flops <= MostNaiveFlops);
    }
}
