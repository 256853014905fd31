using System.Runtime.InteropServices;
using NanoFold.Engine.Ops;
using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels.Gpu.Gemm.Mma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Gemm;

/// <summary>
/// A product that turns heads, to be run by the machine: it has the bits of the plain product whose results are turned afterwards in single precision, and is near sums and turns in double.
/// </summary>
internal sealed record RotatedCase(GemmTile Tile, GpuType Type, int M, int Heads, int Rest, int K, GemmRotation Rotation)
{
    private const int Positions = 60;

    /// <summary>Rows of a row of the batch.</summary>
    public int Time { get; init; } = 33;

    public bool HasBias { get; init; }

    public GemmFamily Family { get; init; } = GemmFamily.Mma;

    public int Architecture { get; init; } = 80;

    public bool StartsEarly { get; init; }

    public PtxSchedule Schedule { get; init; } = new();

    /// <summary>What is done to the kernel's text, to see that the machine notices.</summary>
    public Func<string, string>? Edit { get; init; }

    private int N => (Heads * Rotation.HeadDim) + Rest;

    public override string ToString() => $"{Family} {Tile} {Type} {M}x{N}x{K} {Heads} heads, {Rotation}{(HasBias ? " bias" : "")} sm_{Architecture}{(Schedule.LastWarpFirst ? " last warp first" : "")}";

    public void Check()
    {
        using var device = new MachineDevice { Schedule = Schedule, Edit = Edit, Architecture = Architecture, StartsEarly = StartsEarly, Multiprocessors = 1, SeeksRaces = Family == GemmFamily.Wgmma };
        using var plain = new MachineDevice { Architecture = Architecture };
        float[] table = [.. RopeTable.Compute(Positions, Rotation.Width, 10000).Select(value => (float)value)];
        // The last rows lie outside of the table.
        int[] starts = [.. Enumerable.Range(0, (M + Time - 1) / Time).Select(b => Rotation.HasPositions ? 31 + b : 0)];
        (double[] turned, double[] a, double[] b, double[] bias) = Run(device, table, starts, Rotation);
        (double[] stored, _, _, _) = Run(plain, table, starts, null);
        for (int i = 0; i < M; i++)
        {
            for (int j = 0; j < N; j++)
            {
                float expected = Turned(j, column => (float)stored[(i * N) + column], Pair(table, starts, i, j));
                double value = turned[(i * N) + j], exact = Turned(j, column => Sum(a, b, bias, i, column), Pair(table, starts, i, j));
                if ((float)value != Round(expected))
                {
                    Assert.Fail($"{this}: y[{i}, {j}] is {value}, the plain product turned {Round(expected)}");
                }

                if (!(Math.Abs(value - exact) <= Unit * (Math.Abs(exact) + 2)))
                {
                    Assert.Fail($"{this}: y[{i}, {j}] is {value}, expected {exact}");
                }
            }
        }
    }

    private double Unit => Type == GpuType.BFloat16 ? 0.02 : 0.003;

    private unsafe (double[] Y, double[] A, double[] B, double[] Bias) Run(MachineDevice device, float[] table, int[] starts, GemmRotation? rotation)
    {
        var random = new Random((M * 31) + (N * 7) + K);
        Matrices a = new(device, random, Type, 1, M, K, 0, 0), b = new(device, random, Type, 1, N, K, 0, 0), y = new(device, random, Type, 1, M, N, 0, 0), bias = new(device, random, Type, 1, 1, N, 0, 0);
        long tableAt = device.Allocate(table.Length * sizeof(float)), startsAt = device.Allocate(starts.Length * sizeof(int));
        device.Write(tableAt, MemoryMarshal.AsBytes<float>(table));
        device.Write(startsAt, MemoryMarshal.AsBytes<int>(starts));
        var problem = new GemmProblem
        {
            A = a.Address, B = b.Address, Y = y.Address, Bias = bias.Address, StrideA = a.RowBytes, StrideB = b.RowBytes, StrideY = y.RowBytes, M = M, N = N, K = K, OuterCount = 1, InnerCount = 1,
            Input = Type, Output = Type, BiasType = HasBias ? Type : null, ColumnsB = true, Alpha = 1, Rotation = rotation, Table = tableAt, StrideTable = Rotation.Width * sizeof(float), Positions = startsAt,
            Time = Time, LastPosition = Positions - 1, TurnedColumns = Heads * Rotation.HeadDim,
        };
        GemmRun.Run(device, problem, new GemmChoice(Family, Tile));
        return (y.Read(), a.Read(), b.Read(), bias.Read());
    }

    private double Sum(double[] a, double[] b, double[] bias, int row, int column)
        => Enumerable.Range(0, K).Sum(k => a[(row * K) + k] * b[(column * K) + k]) + (HasBias ? bias[column] : 0);

    /// <summary>The other column of a pair, cosine and sine, or none where nothing is turned.</summary>
    private (int Other, float Cos, float Sin)? Pair(float[] table, int[] starts, int row, int column)
    {
        int inHead = column % Rotation.HeadDim, half = Rotation.Width / 2;
        if (column >= Heads * Rotation.HeadDim || inHead >= Rotation.Width)
        {
            return null;
        }

        bool isSecond = Rotation.IsInterleaved ? inHead % 2 == 1 : inHead >= half;
        int pair = Rotation.IsInterleaved ? inHead / 2 : inHead % half, apart = Rotation.IsInterleaved ? 1 : half;
        int at = (Math.Min((row % Time) + starts[row / Time], Positions - 1) * Rotation.Width) + pair;
        return (column + (isSecond ? -apart : apart), table[at], isSecond ? table[at + half] : -table[at + half]);
    }

    // The product with the first of a pair is part of a multiply-add.
    private static float Turned(int column, Func<int, float> value, (int Other, float Cos, float Sin)? pair)
        => pair is not { } p ? value(column)
            : column < p.Other ? MathF.FusedMultiplyAdd(value(column), p.Cos, value(p.Other) * p.Sin) : MathF.FusedMultiplyAdd(value(p.Other), p.Sin, value(column) * p.Cos);

    private static double Turned(int column, Func<int, double> value, (int Other, float Cos, float Sin)? pair)
        => pair is { } p ? (value(column) * p.Cos) + (value(p.Other) * p.Sin) : value(column);

    private float Round(float value)
    {
        if (Type == GpuType.Float32)
        {
            return value;
        }

        if (Type == GpuType.Float16)
        {
            return (float)(Half)value;
        }

        uint bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000);
    }
}
