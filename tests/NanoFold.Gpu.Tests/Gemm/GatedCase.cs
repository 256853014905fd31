using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Gpu.Tests.Gemm;

/// <summary>
/// A gated product to be run by the machine: compared with sums in double of the same rounded operands, and with the formula in double of the gates that the product left.
/// </summary>
internal sealed record GatedCase(GateFormula Formula, bool IsGradient, GemmTile Tile, GpuType Type, int M, int F, int K)
{
    /// <summary>Elements more than needed between rows.</summary>
    public int Pad { get; init; }

    public bool HasBias { get; init; }

    public GemmFamily Family { get; init; } = GemmFamily.Mma;

    public int Architecture { get; init; } = 80;

    public PtxSchedule Schedule { get; init; } = new();

    /// <summary>What is done to the kernel's text, to see that the machine notices.</summary>
    public Func<string, string>? Edit { get; init; }

    public override string ToString()
        => $"{Family} {Formula.Name}{(IsGradient ? " gradient" : "")} {Tile} {Type} {M}x{F}x{K} pad {Pad}{(HasBias ? " bias" : "")} sm_{Architecture}{(Schedule.LastWarpFirst ? " last warp first" : "")}";

    public void Check()
    {
        using var device = new MachineDevice { Schedule = Schedule, Edit = Edit, Architecture = Architecture, Multiprocessors = 1, SeeksRaces = Family == GemmFamily.Wgmma };
        var random = new Random(M * 31 + F * 7 + K);
        var a = new Matrices(device, random, Type, 1, M, K, Pad, 0);
        Matrices b = IsGradient ? new Matrices(device, random, Type, 1, K, F, Pad, 0) : new Matrices(device, random, Type, 1, 2 * F, K, Pad, 0);
        var y = new Matrices(device, random, Type, 1, M, 2 * F, Pad, 0);
        var gated = new Matrices(device, random, Type, 1, M, IsGradient ? 2 * F : F, Pad, 0, most: 8);
        var bias = new Matrices(device, random, Type, 1, 1, 2 * F, 0, 0);
        double[] gates = gated.Read();
        GemmRun.Run(
            device,
            new GemmProblem
            {
                A = a.Address, B = b.Address, Y = y.Address, Bias = bias.Address, Gated = gated.Address, StrideA = a.RowBytes, StrideB = b.RowBytes, StrideY = y.RowBytes, StrideGated = gated.RowBytes,
                M = M, N = IsGradient ? F : 2 * F, K = K, OuterCount = 1, InnerCount = 1, Input = Type, Output = Type, BiasType = HasBias ? Type : null, ColumnsB = !IsGradient, Alpha = 1,
                Gate = new GemmGate(Formula, IsGradient),
            },
            new GemmChoice(Family, Tile));
        if (IsGradient)
        {
            CompareGradients(a.Read(), b.Read(), gates, y.Read());
        }
        else
        {
            CompareValues(a.Read(), b.Read(), bias.Read(), y.Read(), gated.Read());
        }
    }

    /// <summary>A unit in the last place of results, halved, and what sums in float lose.</summary>
    private double Unit => Type == GpuType.Float32 ? 2e-6 : Type == GpuType.BFloat16 ? 1 / 256.0 : 1 / 2048.0;

    private void CompareValues(double[] a, double[] b, double[] bias, double[] gates, double[] made)
    {
        for (int i = 0; i < M; i++)
        {
            for (int j = 0; j < 2 * F; j++)
            {
                (double sum, double size) = Sum(k => Operand(a[i * K + k]) * Operand(b[j * K + k]));
                sum += HasBias ? bias[j] : 0;
                Near(gates[i * 2 * F + j], sum, 3e-6 * size + Unit * (Math.Abs(sum) + 0.05), $"gate or up [{i}, {j}]");
            }

            for (int j = 0; j < F; j++)
            {
                double expected = Value(gates[i * 2 * F + j], gates[i * 2 * F + j + F]);
                Near(made[i * F + j], expected, Unit * (Math.Abs(expected) + 1e-3), $"y [{i}, {j}]");
                Assert.That(Type != GpuType.Float32 || (float)made[i * F + j] == Single(gates[i * 2 * F + j], gates[i * 2 * F + j + F]), $"{this}: y [{i}, {j}] has other bits than the formula in single precision");
            }
        }
    }

    private void CompareGradients(double[] a, double[] b, double[] gates, double[] made)
    {
        for (int i = 0; i < M; i++)
        {
            for (int j = 0; j < F; j++)
            {
                (double dh, double size) = Sum(k => Operand(a[i * K + k]) * Operand(b[k * F + j]));
                (double gate, double up) = Gradients(gates[i * 2 * F + j], gates[i * 2 * F + j + F], dh);
                (double mostGate, double mostUp) = Gradients(gates[i * 2 * F + j], gates[i * 2 * F + j + F], 1);
                double error = 3e-6 * size + Unit * (Math.Abs(dh) + 0.01);

                // f′ is a sum of terms of about 1, so that its own rounding in float shows where it is near 0.
                double formula = 1e-6 * Math.Abs(dh * gates[i * 2 * F + j + F]);
                Near(made[i * 2 * F + j], gate, 1.1 * error * Math.Abs(mostGate) + Unit * (Math.Abs(gate) + 1e-3) + formula, $"dGate [{i}, {j}]");
                Near(made[i * 2 * F + j + F], up, 1.1 * error * Math.Abs(mostUp) + Unit * (Math.Abs(up) + 1e-3), $"dUp [{i}, {j}]");
            }
        }
    }

    private (double Sum, double Size) Sum(Func<int, double> term)
    {
        double sum = 0, size = 0;
        for (int k = 0; k < K; k++)
        {
            double value = term(k);
            sum += value;
            size += Math.Abs(value);
        }

        return (sum, size);
    }

    private double Operand(double value)
    {
        uint bits = BitConverter.SingleToUInt32Bits((float)value), half = Architecture >= 90 ? 0xfff + ((bits >> 13) & 1) : 0x1000;
        return Type == GpuType.Float32 ? BitConverter.UInt32BitsToSingle((bits + half) & 0xffffe000) : value;
    }

    private double Value(double gate, double up)
    {
        var lanes = new Lanes<LaneDouble>(new(gate), new(up), null);
        Formula.Show(ref lanes);
        return lanes.First.Value;
    }

    private (double Gate, double Up) Gradients(double gate, double up, double dy)
    {
        var lanes = new Lanes<LaneDouble>(new(gate), new(up), new LaneDouble(dy));
        Formula.Show(ref lanes);
        return (lanes.First.Value, lanes.Second.Value);
    }

    private float Single(double gate, double up)
    {
        var lanes = new Lanes<Lane1>(new((float)gate), new((float)up), null);
        Formula.Show(ref lanes);
        return lanes.First.Value;
    }

    private void Near(double value, double expected, double tolerance, string what)
    {
        if (!(Math.Abs(value - expected) <= tolerance))
        {
            Assert.Fail($"{this}: {what} is {value}, expected {expected} within {tolerance}");
        }
    }

    private struct Lanes<V>(V gate, V up, V? dy) : IGateVisitor
        where V : struct, ILane<V>
    {
        public V First { get; private set; }

        public V Second { get; private set; }

        public void Visit<TValue, TGradients>()
            where TValue : struct, IBinaryOp
            where TGradients : struct, IPairOp
        {
            if (dy is not { } gradient)
            {
                First = default(TValue).Invoke(gate, up);
                return;
            }

            First = default(TGradients).Invoke(gate, up, gradient, out V second);
            Second = second;
        }
    }
}
