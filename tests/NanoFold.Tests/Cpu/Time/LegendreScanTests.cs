using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Cpu.Time;

/// <summary>What the state of HiPPO-LegS is for: it holds what was, the near past more sharply than the far one.</summary>
public sealed class LegendreScanTests : EngineTests
{
    private readonly List<IDisposable> _owned = [];

    [TearDown]
    public void Free()
    {
        _owned.ForEach(o => o.Dispose());
        _owned.Clear();
    }

    /// <summary>x(t − τ) ≈ Σ_n s[n] √(2n+1) P_n(2 e^−τ − 1): with more numbers it comes closer.</summary>
    [TestCase(DType.Float64)]
    [TestCase(DType.Float32)]
    public void TheStateReconstructsTheHistoryInLegendrePolynomials(DType type)
    {
        const int Time = 3000, Width = 3;
        const double Step = 0.005;
        // Smooth in e^−τ, the scale on which the state sees time: then few polynomials come close everywhere.
        double X(double back, int channel) => Math.Sin(6 * Math.Exp(-back) + channel) + 0.5 * Math.Cos(9 * Math.Exp(-back));
        double[] errors = [.. new[] { 4, 8, 16 }.Select(numbers =>
        {
            // Each place stands for the middle of its step.
            double[] x = [.. Enumerable.Range(0, Time * Width).Select(i => X((Time - i / Width - 0.5) * Step, i % Width))];
            View state = New(type, [1, numbers, Width], new double[numbers * Width]);
            Backend().Require<LegendreScanCall>().Run(new LegendreScanCall
            {
                X = New(type, [1, Time, Width], x),
                Delta = New(type, [Width], [.. Enumerable.Repeat(Step + Math.Log(-Math.Exp(-Step) + 1), Width)]),
                Out = New(type, [Width, numbers], new double[Width * numbers]),
                Skip = New(type, [Width], new double[Width]),
                Y = New(type, [1, Time, Width], new double[Time * Width]),
                State = state,
            });
            double[] s = Host.Read(Backend(), state);
            return (from i in Enumerable.Range(0, 40) from c in Enumerable.Range(0, Width) let back = i * 0.05
                    select Math.Abs(Reconstructed(s, numbers, Width, c, back) - X(back, c))).Max();
        })];
        Assert.That(errors, Is.Ordered.Descending);
        Assert.That(errors[1], Is.LessThan(0.05 * errors[0]));
        Assert.That(errors[2], Is.LessThan(3e-4));
    }

    private static double Reconstructed(double[] state, int numbers, int width, int channel, double back)
    {
        // P_n by its recurrence, (n + 1) P_{n+1} = (2n + 1) z P_n − n P_{n−1}.
        double z = 2 * Math.Exp(-back) - 1, before = 0, polynomial = 1, sum = 0;
        for (int n = 0; n < numbers; n++)
        {
            sum += state[n * width + channel] * Math.Sqrt(2 * n + 1) * polynomial;
            (before, polynomial) = (polynomial, ((2 * n + 1) * z * polynomial - n * before) / (n + 1));
        }

        return sum;
    }

    private View New(DType type, int[] shape, double[] values) => Host.New(Backend(), type, shape, values, _owned);
}
